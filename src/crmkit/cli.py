"""The command: from a log in a file to a folder of tables and a report, or to a test of it.

Exit codes: 0 done, 2 cannot be read, 3 too much would be set aside, 4 events of the first
priority (`check`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from crmkit._cli import check, evaluate, inspect, report, told
from crmkit._cli.options import parser
from crmkit.errors import CrmkitError, TooMuchSetAsideError

_CANNOT: Final = 2
_TOO_MUCH: Final = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and give its exit code; what cannot be done is said in one sentence."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "inspect":
            inspect.run(options)
        elif options.command == "check":
            return check.run(options, _progress(on_terminal=sys.stderr.isatty()))
        elif options.command == "evaluate":
            evaluate.run(options, _progress(on_terminal=sys.stderr.isatty()))
        else:
            report.run(options, _progress(on_terminal=sys.stderr.isatty()))
    except TooMuchSetAsideError as error:
        _complain(error)
        print(told.reasons(error), file=sys.stderr)
        return _TOO_MUCH
    except (CrmkitError, OSError, MemoryError) as error:
        return _complain(error)
    except KeyboardInterrupt:
        return _complain("stopped")
    return 0


def _complain(reason: object) -> int:
    first_line = str(reason).strip().partition("\n")[0]
    sentence = first_line if isinstance(reason, OSError) else " ".join(str(reason).split())
    print(f"crmkit: {sentence or 'not enough memory for this file'}", file=sys.stderr)
    return _CANNOT


def _progress(*, on_terminal: bool) -> Callable[[str], None]:
    """Show each step with the seconds it took, where somebody is watching."""
    began: list[tuple[str, float]] = []

    def step(name: str) -> None:
        if not on_terminal:
            return
        now = time.perf_counter()
        if began:
            print(f"\r  {began[-1][0]} ({now - began[-1][1]:.1f} s)   ", file=sys.stderr)
        if name:
            print(f"  {name} ...", end="", file=sys.stderr, flush=True)
        began.append((name, now))

    return step


if __name__ == "__main__":
    sys.exit(main())

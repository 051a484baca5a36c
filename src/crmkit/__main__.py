"""The command without its script: `python -m crmkit report log.csv`."""

from __future__ import annotations

import sys

from crmkit.cli import main

if __name__ == "__main__":
    sys.exit(main())

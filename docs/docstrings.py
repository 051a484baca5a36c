"""Let Markdown show our docstrings: their tables, links and formulas are reStructuredText.

An extension of griffe, which reads the docstrings for mkdocstrings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import griffe

_RULER: Final = re.compile(r"=+(?: +=+)+")
_NAME: Final = re.compile(r"`(crmkit\.[\w.]+)(?:\(\))?`(?!`)")
_HEAD: Final = ["column", "kind", "meaning"]
_REFERENCE: Final = sorted((Path(__file__).parent / "reference").glob("*.md"))
_LINKED: Final = {
    name
    for page in _REFERENCE
    for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
}


class Docstrings(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401 - of any kind
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = "\n".join(_lines(_marked_up(obj.docstring.value)))


def _marked_up(text: str) -> str:
    """Link public names, and take a free text under `Returns` for what it is."""
    text = text.replace(":math:", "").replace("::\n", ":\n")
    text = re.sub(r"^Returns\n-+$", "Gives\n-----", text, flags=re.MULTILINE)
    return _NAME.sub(lambda m: f"[`{m[1]}`][{m[1]}]" if m[1] in _LINKED else m[0], text)


def _lines(text: str) -> Iterator[str]:
    """Turn simple tables into Markdown's."""
    table: list[str] | None = None
    ruler = ""
    for line in text.splitlines():
        if _RULER.fullmatch(line):
            if table is None:
                table, ruler = [], line
            else:
                yield from _markdown(table, ruler)
                table = None
        elif table is None:
            yield line
        else:
            table.append(line)


def _markdown(table: list[str], ruler: str) -> Iterator[str]:
    """Write the rows of a simple table; a line without a first cell goes on with the last."""
    starts = [column.start() for column in re.finditer("=+", ruler)]
    rows: list[list[str]] = []
    for line in table:
        cells = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
    of_columns = len(starts) == len(_HEAD) and rows[0][0].startswith("``")
    head = _HEAD if of_columns else [""] * len(starts)
    yield from ("", _row(head), _row(["---"] * len(head)), *map(_row, rows), "")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"

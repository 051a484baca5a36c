"""Tables of a web page, which many systems call .xls."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from crmkit._door.files.text import encodings
from crmkit.errors import InvalidArgumentError

_CELLS: Final = ("td", "th")
_MOST_COLUMNS: Final = 1_000
_LARGEST: Final = 200 << 20


def table_of_web_page(path: Path, *, name: str, scratch: Path, encoding: str | None) -> Path:
    """Write the longest table of a web page as CSV."""
    if path.stat().st_size > _LARGEST:
        msg = f"{name} is a web page of more than {_LARGEST >> 20} MB; save it as .xlsx or CSV."
        raise InvalidArgumentError(msg)
    data = path.read_bytes()
    chosen = encodings.of_name(encoding) if encoding is not None else encodings.of_head(data)
    page = _Page()
    page.feed(data.decode(chosen, errors="replace").removeprefix("\ufeff"))
    page.close()
    rows = max(page.tables, key=len, default=[])
    if not rows:
        msg = f"{name} is a web page without a table; save its table as CSV or Excel."
        raise InvalidArgumentError(msg)
    width = max(map(len, rows))
    target = scratch / "page.csv"
    with target.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([*row, *[""] * (width - len(row))] for row in rows)
    return target


class _Page(HTMLParser):
    """The tables of a page as rows of text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._cell: list[str] | None = None
        self._span = 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a table, a row or a cell."""
        if tag == "table":
            self._end_cell()
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self._end_cell()
            self.tables[-1].append([])
        elif tag in _CELLS and self.tables:
            self._end_cell()
            span = dict(attrs).get("colspan") or "1"
            self._span = min(int(span), _MOST_COLUMNS) if span.isdecimal() else 1
            self._cell = []
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """End a cell, or what holds it."""
        if tag in (*_CELLS, "tr", "table"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        """Take the text of a cell."""
        if self._cell is not None:
            self._cell.append(data)

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        if not self.tables[-1]:
            self.tables[-1].append([])
        text = " ".join("".join(self._cell).split())
        self.tables[-1][-1] += [text, *[""] * (self._span - 1)]
        self._cell = None

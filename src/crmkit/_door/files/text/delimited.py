"""A text file, from its bytes to its table."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from crmkit._door.files.grid.empty import without_empty_rows
from crmkit._door.files.grid.footer import without_footer
from crmkit._door.files.raw_file import Aside, RawFile, set_aside_table
from crmkit._door.files.text import encodings
from crmkit._door.files.text.layout import Layout, look
from crmkit._door.files.text.plain import Rows, read_plain
from crmkit._door.files.text.rows import read_rows
from crmkit.errors import InvalidArgumentError

_BLOCK: Final = 1 << 22


def read_delimited(
    path: Path, *, name: str, scratch: Path, encoding: str | None, separator: str | None
) -> RawFile:
    """Read a text file whose cells are separated by one character."""
    with path.open("rb") as file:
        head = file.read(encodings.HEAD)
    chosen = encodings.of_name(encoding) if encoding is not None else encodings.of_head(head)
    readable = _in_utf_8(path, chosen, scratch)
    layout = look(readable, name=name, separator=separator)
    if layout.line_ends == {b"\r"}:
        readable = _with_newlines(readable, scratch)
        layout = layout._replace(line_ends=frozenset({b"\n"}))
    rows, aside = read_plain(readable, layout), list[Aside]()
    if rows is None and encoding is None and chosen == encodings.UTF_8:
        chosen = encodings.of_whole(path)
        if chosen != encodings.UTF_8:
            readable = _in_utf_8(path, chosen, scratch)
            layout = look(readable, name=name, separator=separator)
            rows = read_plain(readable, layout)
    if rows is None:
        rows, aside = read_rows(readable, layout, encoding=chosen, scratch=scratch)
    return _raw_file(rows, aside, layout, name=name, encoding=chosen)


def _in_utf_8(path: Path, encoding: str, scratch: Path) -> Path:
    if encoding == encodings.UTF_8:
        return path
    target = scratch / "utf-8.txt"
    encodings.transcode(path, target, encoding=encoding)
    return target


def _with_newlines(path: Path, scratch: Path) -> Path:
    """End lines as all but old Macs do."""
    target = scratch / "newlines.txt"
    with path.open("rb") as file, target.open("wb") as out:
        while block := file.read(_BLOCK):
            out.write(block.replace(b"\r", b"\n"))
    return target


def _raw_file(
    rows: Rows, aside: list[Aside], layout: Layout, *, name: str, encoding: str
) -> RawFile:
    mark = layout.separator.decode()
    table, lines, empty = without_empty_rows(rows.table, rows.lines, separator=mark)
    table, lines, footer = without_footer(table, lines, separator=mark)
    if table.is_empty():
        raise InvalidArgumentError(_no_rows(aside, name=name))
    void = [each for each in layout.unnamed if table[each].null_count() == table.height]
    return RawFile(
        table=table.drop(void),
        lines=lines,
        set_aside=set_aside_table([*layout.titles, *aside, *empty, *footer]),
        notes=(
            f"encoding {encoding}",
            *(
                note
                for note in layout.notes
                if note not in {f"{each} has no name" for each in void}
            ),
            *(f"{each} without name and values left out" for each in void),
        ),
        source=name,
    )


def _no_rows(aside: list[Aside], *, name: str) -> str:
    if not aside:
        return f"{name} has no rows below its header."
    first = aside[0]
    return (
        f"{name} has no row that reads as one: {first.reason} in line {first.line}, and likewise "
        f"in all {len(aside):,} rows; look at the quotes and at numbers with a decimal comma, and "
        "save it again with the separator ';'."
    )

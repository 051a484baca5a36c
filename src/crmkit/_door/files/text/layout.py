"""How a text file is laid out: its separator, its header, and the rows above it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Final, NamedTuple

from crmkit._door.files.grid.header import find_header, looks_like_values
from crmkit._door.files.grid.names import distinct_names
from crmkit._door.files.raw_file import EMPTY, TITLE, Aside
from crmkit._door.files.text.cells import LINE_END, Record, records
from crmkit._words.arguments import shown
from crmkit.errors import InvalidArgumentError

SEPARATORS: Final = {b";": "semicolon", b"\t": "tab", b"|": "pipe", b",": "comma"}
"""Where two fit as well, the first is taken: a comma also stands in numbers and words."""

_SAMPLE: Final = 1 << 18
_RECORDS: Final = 300
_NOT_FIRST: Final = 0.6
_LEAST: Final = 0.5
_SAYS_SEPARATOR: Final = b"sep="
_MOST_SHOWN: Final = 40


class Layout(NamedTuple):
    """Where the rows of a text file begin, and what their cells are called."""

    separator: bytes
    names: list[str]
    unnamed: list[str]
    start: int
    line: int
    titles: list[Aside]
    notes: list[str]
    line_ends: frozenset[bytes]


def look(path: Path, *, name: str, separator: str | None) -> Layout:
    """Look at the beginning of a UTF-8 file."""
    sample = _sample(path)
    start = 3 if sample.startswith(b"\xef\xbb\xbf") else 0
    chosen = _given(separator) if separator is not None else _separator(sample, start)
    if chosen is None:
        raise InvalidArgumentError(_one_column(sample[start:], name=name))
    read = list(islice(records(sample, chosen, start=start), _RECORDS))
    rows = [_texts(record) for record in read]
    at = 0 if _has_row_numbers(rows[0], rows[1:]) else find_header(rows)
    if not any(cell.strip() for cell in rows[at]):
        msg = f"{name} is empty."
        raise InvalidArgumentError(msg)
    names, notes = _names(rows[at], rows[at + 1 :])
    own, said = distinct_names(names)
    header = read[at]
    titles = [
        Aside(record.line, _title_or_empty(record), _content(sample, record))
        for record in read[:at]
        if not record.is_blank
    ]
    line = header.line + header.n_lines
    return Layout(
        separator=chosen,
        names=own,
        unnamed=[own[i] for i, written in enumerate(names) if not written.strip()],
        start=header.end,
        line=line,
        titles=titles,
        notes=[
            f"separator {_shown(chosen)}",
            *([f"header in line {header.line}"] if header.line > 1 else []),
            *(["the header looks like a row of values"] if looks_like_values(rows[at]) else []),
            *notes,
            *said,
        ],
        line_ends=frozenset(LINE_END.findall(sample)),
    )


def content(text: bytes) -> str:
    """Write a row that is set aside as a message can hold it: without its line end."""
    return text.rstrip(b"\r\n").decode("utf-8", errors="replace")


def _content(data: bytes, record: Record) -> str:
    return content(data[record.start : record.end])


def _title_or_empty(record: Record) -> str:
    return TITLE if any(cell.strip() for cell in record.cells) else EMPTY


def _sample(path: Path) -> bytes:
    """Read whole lines from the beginning of a file."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
        if len(sample) == _SAMPLE:
            sample += file.readline(_SAMPLE)
    return sample


def _given(separator: str) -> bytes:
    if not isinstance(separator, str) or len(separator) != 1 or not separator.isascii():
        msg = f'`separator` must be one character, got {shown(separator)}.\nWrite ";" for it.'
        raise InvalidArgumentError(msg)
    if separator in '"\r\n':
        msg = f"`separator` cannot be a quote or a line end, got {shown(separator)}."
        raise InvalidArgumentError(msg)
    return separator.encode()


def _separator(sample: bytes, start: int) -> bytes | None:
    """Take the separator that cuts the first lines, the header among them, into as many cells."""
    first = sample[start:].partition(b"\n")[0].strip()
    if first[:-1] == _SAYS_SEPARATOR and first[-1:] in SEPARATORS:
        return first[-1:]
    scores = {each: _consistency(sample, start, each) for each in SEPARATORS}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > 0 else None


def _consistency(sample: bytes, start: int, separator: bytes) -> float:
    """Score a separator: the share of records with the usual number of cells, more for more."""
    read = islice(records(sample, separator, start=start), _RECORDS)
    counts = [len(record.cells) for record in read if not record.is_blank]
    several = Counter(count for count in counts if count > 1)
    if not several:
        return 0.0
    usual, n_usual = max(several.items(), key=lambda item: (item[1], item[0]))
    is_first = counts[0] == usual
    if not is_first and n_usual < _LEAST * (len(counts) - counts.index(usual)):
        return 0.0  # prose, not a table
    first = 1.0 if is_first else _NOT_FIRST
    return first * n_usual / len(counts) * math.sqrt(usual - 1)


def _texts(record: Record) -> list[str]:
    return [cell.decode("utf-8", errors="replace") for cell in record.cells]


def _names(header: list[str], rows: Sequence[list[str]]) -> tuple[list[str], list[str]]:
    """Give the names of as many columns as the rows have, where the header has fewer or more."""
    counts = Counter(len(row) for row in rows if len(row) > 1)
    if not counts:
        return header, []
    usual = counts.most_common(1)[0][0]
    more = usual - len(header)
    if more < 0 and not any(cell.strip() for cell in header[usual:]):
        return header[:usual], []
    alike = [row for row in rows if len(row) == usual]
    if more > 0 and not any(cell.strip() for row in alike for cell in row[len(header) :]):
        return [*header, *[""] * more], []
    if _has_row_numbers(header, alike):
        return ["", *header], ["the first column holds row numbers"]
    return header, []


def _has_row_numbers(header: list[str], rows: Sequence[list[str]]) -> bool:
    """Whether each row begins with its number, for which the header has no name, as R writes it."""
    rows = [row for row in rows if len(row) > 1]
    if not rows or any(len(row) != len(header) + 1 for row in rows):
        return False
    numbers = [int(row[0]) if row[0].isdecimal() else -1 for row in rows]
    return numbers[0] in (0, 1) and all(after - before == 1 for before, after in pairwise(numbers))


def _shown(separator: bytes) -> str:
    return "tab" if separator == b"\t" else repr(separator.decode())


def _one_column(sample: bytes, *, name: str) -> str:
    line = next((line for line in sample.splitlines() if line.strip()), b"")
    if not line:
        return f"{name} is empty."
    shown_ = content(line)[:_MOST_SHOWN]
    usual = ", ".join(list(SEPARATORS.values())[:-1])
    return (
        f"{name} has one column only ({shown_!r}): no {usual} or comma cuts its lines into cells; "
        "save it with one of them, or name another with separator=."
    )

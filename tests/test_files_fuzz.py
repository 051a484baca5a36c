"""Files as accident and malice leave them: each becomes a table, or one sentence.

A sample runs each time; CRMKIT_FILES=2000 sets how many files `make test-rest` tries.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import random
import resource
import sqlite3
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from crmkit._door.files import RawFile, read_file
from crmkit.errors import CrmkitError
from tests import file_makers

N_QUICK = 60
N_FULL = int(os.environ.get("CRMKIT_FILES", "300"))
LONGEST_SECONDS = 10
MOST_BYTES = 1 << 30

ENCODINGS = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"),
    *("gbk", "gb18030", "big5", "shift_jis", "euc_jp", "cp1251", "cp1250", "cp437", "mac_roman"),
)
WORDS = (
    *("customer", "date", "amount", "Kunde", "Betrag", "客户", "金額", "顧客", "Müller", "René"),
    *("=cmd()|'/c calc'!A1", "+1", "-5,00", "1.706,18 €", '5" pipe', "a\nb", "", " ", "Total"),
    *("2024-01-05", "2022年1月5日", "NULL", "nan", "\x00", "\u2028", "😀", "'", "\\", "x" * 3_000),
)
SUFFIXES = (
    *(".csv", ".txt", ".tsv", ".xlsx", ".xls", ".ods", ".json", ".jsonl", ".parquet", ".arrow"),
    *(".sqlite", ".duckdb", ".gz", ".zip", ".pdf", "", ".csv.gz"),
)


def delimited(draw: random.Random) -> bytes:
    """A text file with rows of several widths, quotes and line ends of all kinds."""
    out = io.StringIO()
    separator, end = draw.choice(",;\t|"), draw.choice(["\n", "\r\n", "\r"])
    is_quoted, width = draw.random() < 0.7, draw.randint(1, 6)
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    for _ in range(draw.randint(0, 40)):
        n_cells = width if draw.random() < 0.9 else draw.randint(0, 9)
        row = [draw.choice(WORDS) for _ in range(n_cells)]
        if is_quoted:
            writer.writerow(row)
        else:
            out.write(separator.join(row) + end)
    return out.getvalue().encode(draw.choice(ENCODINGS), errors="replace")


def records(draw: random.Random) -> bytes:
    """JSON of any depth."""

    def value(depth: int) -> object:
        kinds = [*WORDS, 1, 2.5, 10**30, None, True, float("nan")]
        if depth and draw.random() < 0.3:
            return {draw.choice(WORDS): value(depth - 1) for _ in range(draw.randint(0, 3))}
        if depth and draw.random() < 0.1:
            return [value(depth - 1) for _ in range(draw.randint(0, 3))]
        return draw.choice(kinds)

    rows = [{word: value(3) for word in WORDS[:3]} for _ in range(draw.randint(0, 9))]
    if draw.random() < 0.5:
        return "\n".join(map(json.dumps, rows)).encode()
    return json.dumps(rows if draw.random() < 0.5 else {"data": rows}).encode()


def workbook(draw: random.Random, folder: Path) -> bytes:
    """A workbook of any of three kinds, one of them encrypted."""
    words = [word for word in WORDS if word.isprintable()]
    rows = [
        [draw.choice([*words, 1, 2.5, None]) for _ in range(draw.randint(0, 5))]
        for _ in range(draw.randint(0, 9))
    ]
    path = folder / "made"
    makers: list[Callable[[], Path]] = [
        lambda: file_makers.xlsx(path, {"S": rows}),
        lambda: file_makers.ods(path, {"S": rows}),
        lambda: file_makers.xls(path, "S", [[str(v)[:200] for v in row] for row in rows]),
        lambda: file_makers.xlsx_of_far_cells(path),
        lambda: file_makers.compound(path, "EncryptedPackage", draw.randbytes(99)),
    ]
    draw.choice(makers)()
    return path.read_bytes()


def typed(draw: random.Random, folder: Path) -> bytes:
    """A Parquet, Arrow or SQLite file."""
    path = folder / "made"
    path.unlink(missing_ok=True)
    table = pl.DataFrame({"id": ["007", None], "n": [1, 2]}).head(draw.randint(0, 2))
    if draw.random() < 0.3:
        table.write_parquet(path)
    elif draw.random() < 0.5:
        table.write_ipc(path)
    else:
        connection = sqlite3.connect(path)
        for name in WORDS[: draw.randint(0, 2)]:
            connection.execute(f'CREATE TABLE "{name}" (a, b)')
            connection.execute(
                f'INSERT INTO "{name}" VALUES (?, ?)', draw.choices([1, "x", None], k=2)
            )
        connection.commit()
        connection.close()
    return path.read_bytes()


def bomb(draw: random.Random) -> bytes:
    """What is small and unpacks to 128 MB."""
    part = gzip.compress(draw.choice([b"0,0\n", b"\0", b"\n", b'"']) * (1 << 23))
    if draw.random() < 0.5:
        return part * 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(128 << 20))
    return out.getvalue()


def packed(data: bytes, draw: random.Random) -> bytes:
    if draw.random() < 0.5:
        return gzip.compress(data)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in draw.sample(
            ["a.csv", "b.csv", "../c.csv", "/d.txt", "e/"], k=draw.randint(0, 3)
        ):
            archive.writestr(name, data)
    return out.getvalue()


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Cut off, changed, doubled, or with bytes of another kind in it."""
    at = draw.randint(0, len(data))
    damage: list[Callable[[], bytes]] = [
        lambda: data[:at],
        lambda: data[at:],
        lambda: data[:at] + b"\0" * draw.randint(1, 9) + data[at:],
        lambda: data[:at] + b'"' + data[at:],
        lambda: data[:at] + draw.randbytes(draw.randint(1, 40)) + data[at + 5 :],
        lambda: data[:at] + b"\r" + data[at:],
        lambda: data + data,
        lambda: data + "é".encode("latin-1"),
    ]
    return draw.choice(damage)()


def content(draw: random.Random, folder: Path) -> bytes:
    kind = draw.random()
    if kind < 0.005:
        return bomb(draw)
    if kind < 0.5:
        data = delimited(draw)
    elif kind < 0.65:
        data = records(draw)
    elif kind < 0.8:
        data = workbook(draw, folder)
    elif kind < 0.9:
        data = typed(draw, folder)
    else:
        data = draw.choice(
            [
                b"",
                b"\n" * 9,
                draw.randbytes(draw.randint(1, 5_000)),
                b"<table>",
                b"%PDF-1.4",
                b"{" * 9,
            ]
        )
    for _ in range(draw.choice([0, 0, 1, 3])):
        data = damaged(data, draw)
    return packed(data, draw) if draw.random() < 0.1 else data


def attempt(number: int, folder: Path) -> RawFile | str:
    """Read one file; give its table, or the sentence."""
    draw = random.Random(number)
    data = content(draw, folder)
    name = draw.choice(["log", "=1+1", "a[b]*?", "客户 ü", "-x"]) + draw.choice(SUFFIXES)
    path = folder / name
    path.write_bytes(data)
    began = time.perf_counter()
    try:
        read: RawFile | str = read_file(path)
    except CrmkitError as error:
        read = str(error)
    finally:
        path.unlink()
    assert time.perf_counter() - began < LONGEST_SECONDS
    return read


def check(number: int, folder: Path) -> None:
    read = attempt(number, folder)
    if isinstance(read, str):
        assert read.endswith("."), read
        assert len(read) < 600, read
        assert "\n" not in read, read
        assert "Error" not in read, read
        return
    assert read.table.height == len(read.lines) > 0
    assert len(set(read.table.columns)) == read.table.width
    assert read.set_aside.columns == ["line", "reason", "content"]
    if read.notes and read.notes[0].startswith("encoding"):
        assert not read.table.select(pl.all_horizontal(pl.all().is_null()).any()).item()


@pytest.mark.parametrize("number", range(N_QUICK))
def test_any_file_is_a_table_or_a_sentence(number: int, tmp_path: Path) -> None:
    check(number, tmp_path)


@pytest.mark.full
def test_two_thousand_files_are_tables_or_sentences(tmp_path: Path) -> None:
    for number in range(N_QUICK, N_QUICK + N_FULL):
        check(number, tmp_path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak < 2 * MOST_BYTES  # with what other tests of this process have left


def test_each_kind_of_file_may_be_cut_anywhere(tmp_path: Path) -> None:
    draw = random.Random(7)
    whole = [delimited(draw), records(draw), workbook(draw, tmp_path), typed(draw, tmp_path)]
    for data in whole:
        for tenth in range(11):
            path = tmp_path / "cut"
            path.write_bytes(data[: len(data) * tenth // 10])
            with contextlib.suppress(CrmkitError):
                assert read_file(path).table.height > 0

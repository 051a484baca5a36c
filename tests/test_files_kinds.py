"""Workbooks, JSON, Parquet, databases, packed and several files: each is read by its content."""

from __future__ import annotations

import bz2
import gzip
import json
import sqlite3
import sys
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from crmkit import intake
from crmkit._door.files import read_file
from crmkit.errors import InvalidArgumentError
from tests import file_makers, postgresql

CSV = b"customer,day,amount\n007,2024-01-05,12.5\nann,2024-01-06,8\n"
ROWS = [("007", "2024-01-05", "12.5"), ("ann", "2024-01-06", "8")]
GRID: list[list[Any]] = [
    ["Sales of the shop"],
    [],
    ["customer", "day", "items", "amount", "mixed"],
    ["007", date(2024, 1, 5), 3, 12.5, 25],
    ["ann", date(2024, 1, 6), 1, ("2*4", 8.25), "x"],
    [None, None, None, None, None],
    ["Total", None, 4, 20.75],
]
SHEET = [("007", 3, 12.5, "25"), ("ann", 1, 8.25, "x")]
DAYS = [date(2024, 1, 5), date(2024, 1, 6)]


def refused(path: Any, **options: Any) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        read_file(path, **options)
    return str(caught.value)


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("maker", "name"), [("xlsx", "book.xlsx"), ("ods", "book.ods")])
def test_a_workbook_keeps_text_ids_types_and_cached_values(
    tmp_path: Path, maker: str, name: str
) -> None:
    grid = [[v[1] if maker == "ods" and isinstance(v, tuple) else v for v in row] for row in GRID]
    path = getattr(file_makers, maker)(tmp_path / name, {"Notes": [["hello"]], "Orders": grid})
    raw = read_file(path)
    assert raw.table.drop("day").rows() == SHEET
    assert raw.table["day"].cast(pl.Date).to_list() == DAYS
    assert raw.table["items"].dtype == pl.Int64
    assert raw.lines.to_list() == [4, 5]
    assert raw.notes == ("sheet 'Orders' of 2", "header in line 3")
    assert raw.set_aside["line"].to_list() == [1, 2, 6, 7]
    assert raw.set_aside["reason"].to_list() == [
        "title row above the header",
        "empty row",
        "empty row",
        "total row below the table",
    ]


def test_a_workbook_of_1997_is_read(tmp_path: Path) -> None:
    path = file_makers.xls(tmp_path / "old.xls", "S", [["id", "amount"], ["007", 1.5], ["ü", 2]])
    assert read_file(path).table.rows() == [("007", 1.5), ("ü", 2.0)]


def test_a_sheet_is_chosen_by_name(tmp_path: Path) -> None:
    sheets: dict[str, file_makers.Rows] = {
        "2023": [["id", "n"], ["a", 1]],
        "2024": [["id", "n"], ["b", 2]],
    }
    path = file_makers.xlsx(tmp_path / "book.xlsx", sheets)
    assert read_file(path, sheet="2024").table.rows() == [("b", 2)]
    assert refused(path) == (
        "book.xlsx has 2 sheets with the same columns ('2023', '2024'); name one with sheet=, or "
        "put them into one."
    )
    assert refused(path, sheet="2022") == (
        "book.xlsx has no sheet '2022', only '2023', '2024'.\nDid you mean '2024'?"
    )


def test_cells_with_an_error_are_counted(tmp_path: Path) -> None:
    rows: file_makers.Rows = [["id", "n"], ["a", 1], ["b", "#N/A"]]
    raw = read_file(file_makers.xlsx(tmp_path / "book.xlsx", {"S": rows}))
    assert raw.table.rows() == [("a", 1), ("b", None)]
    assert raw.notes == ("1 cell with an error such as #N/A read as empty",)


@pytest.mark.parametrize("name", ["log.csv", "log.xls", "log", "log.gz", "log.parquet"])
def test_the_content_says_what_a_file_is_not_its_name(tmp_path: Path, name: str) -> None:
    assert read_file(put(tmp_path, name, CSV)).table.rows() == ROWS
    assert read_file(put(tmp_path, name, gzip.compress(CSV))).table.rows() == ROWS
    book = file_makers.xlsx(tmp_path / name, {"S": [["a", "b"], ["1", 2]]})
    assert read_file(book).table.rows() == [("1", 2)]


@pytest.mark.parametrize(
    "page",
    [
        "<table><tr><th>Kunde<th>Betrag</tr><tr><td>007</td><td>1.706,18&nbsp;€</td></tr></table>",
        (
            "<!DOCTYPE html><html><body><table><tr><td>menu</td></tr></table><table>"
            "<tr><td colspan=2>Sales</td></tr><tr><td>Kunde</td><td>Betrag</td></tr>"
            "<tr><td>007</td><td>1.706,18<br>€</td></tr></table></body></html>"
        ),
    ],
)
def test_a_web_page_that_passes_for_a_workbook_is_read(tmp_path: Path, page: str) -> None:
    raw = read_file(put(tmp_path, "log.xls", page.encode("cp1252")))
    assert raw.table.rows() == [("007", "1.706,18 €")]
    assert raw.notes[0] == "table of a web page"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('[{"id": "007", "n": 1}, {"id": "8", "n": 2.5}]', [("007", 1.0), ("8", 2.5)]),
        ('{"page": 1, "data": [{"id": "007", "n": 1}]}', [("007", 1)]),
        ('{"id": "007", "n": 1}\n\n{"id": 8}\n', [("007", 1), ("8", None)]),
        ('[{"id": "", "n": 99999999999999999999}]', [(None, "99999999999999999999")]),
        ('[{"id": true, "n": [1, {"a": "ü"}]}]', [(True, '[1, {"a": "ü"}]')]),
        ('[{"id": "x", "n": null}]', [("x", None)]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_becomes_a_table(
    tmp_path: Path, text: str, rows: list[tuple[Any, ...]], encoding: str
) -> None:
    raw = read_file(put(tmp_path, "log.json", text.encode(encoding)))
    assert raw.table.columns == ["id", "n"]
    assert raw.table.rows() == rows


def test_nested_json_gets_columns_with_dots(tmp_path: Path) -> None:
    order = {"no": 1, "customer": {"id": "007", "address": {"city": "Köln"}}, "lines": [1, 2]}
    raw = read_file(put(tmp_path, "log.json", json.dumps([order]).encode()))
    assert raw.table.columns == ["no", "customer.id", "customer.address", "lines"]
    assert raw.table.rows() == [(1, "007", '{"city": "Köln"}', "[1, 2]")]
    assert raw.notes == (
        "'customer.address' holds lists or objects, kept as text",
        "'lines' holds lists or objects, kept as text",
    )


def test_lines_that_are_not_json_are_set_aside(tmp_path: Path) -> None:
    raw = read_file(put(tmp_path, "log.jsonl", b'{"a": 1}\n{"a":\n[1]\n{"a": 2}\n'))
    assert raw.table.rows() == [(1,), (2,)]
    assert raw.lines.to_list() == [1, 4]
    assert raw.set_aside.rows() == [(2, "not JSON", '{"a":'), (3, "not an object", "[1]")]


def test_parquet_and_arrow_keep_their_types(tmp_path: Path) -> None:
    table = pl.DataFrame({"id": [7], "day": [date(2024, 1, 5)], "who": [{"name": "ann", "n": 1}]})
    flat = pl.DataFrame({"id": [7], "day": [date(2024, 1, 5)], "who.name": ["ann"], "who.n": [1]})
    table.write_parquet(tmp_path / "a")
    table.write_ipc(tmp_path / "b")
    table.write_ipc_stream(tmp_path / "c")
    for name in "abc":
        raw = read_file(tmp_path / name)
        assert raw.table.equals(flat)
        assert raw.lines.to_list() == [1]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute('CREATE TABLE orders (id, "order no" INTEGER, amount REAL)')
        connection.execute("INSERT INTO orders VALUES ('007', 1, 2.5), (8, NULL, 3)")
    connection.close()
    return path


def test_the_only_table_of_sqlite_is_read(shop: Path) -> None:
    before = shop.read_bytes()
    raw = read_file(shop)
    assert raw.table.to_dict(as_series=False) == {
        "id": ["007", "8"],
        "order no": [1, None],
        "amount": [2.5, 3.0],
    }
    assert raw.notes == ("table orders",)
    assert (shop.read_bytes(), list(shop.parent.iterdir())) == (before, [shop])


def test_one_of_several_tables_is_named(shop: Path) -> None:
    with sqlite3.connect(shop) as connection:
        connection.execute('CREATE TABLE "a ""b"" c" (x, y)')
        connection.execute('INSERT INTO "a ""b"" c" VALUES (1, 2)')
    connection.close()
    assert read_file(shop, table='a "b" c').table.rows() == [(1, 2)]
    assert read_file(shop, query="SELECT sum(amount) AS s FROM orders").table.rows() == [(5.5,)]
    assert refused(shop) == ("shop.db has 2 tables ('a \"b\" c', 'orders'); name one with table=.")
    assert refused(shop, table="order") == (
        "shop.db has no table 'order', only 'a \"b\" c', 'orders'.\nDid you mean 'orders'?"
    )
    assert refused(shop, query="DROP TABLE orders").startswith(
        "shop.db does not read as an SQLite database (attempt to write a readonly database); "
    )


def test_duckdb_is_read_only(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE orders AS SELECT '007' id, 2.50::DECIMAL(9, 2) amount")
        connection.execute("CREATE VIEW v AS SELECT 1 a, 2 b")
    assert read_file(path).table.rows() == [("007", Decimal("2.50"))]
    assert read_file(path, table="v").table.rows() == [(1, 2)]
    assert refused(path, table="order") == (
        "shop.duckdb has no table 'order', only 'orders', 'v'.\nDid you mean 'orders'?"
    )
    assert "read-only" in refused(path, query="CREATE TABLE t (a INT)")
    assert "disabled" in refused(path, query="SELECT * FROM read_csv('/etc/passwd')")


@pytest.mark.slow
def test_postgresql_answers_a_query() -> None:
    programs = postgresql.folder_of_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine")
    with postgresql.server(programs) as uri:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - where a server is

        with dbapi.connect(uri) as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE orders (id text, day date, at timestamptz, amount numeric)"
            )
            cursor.execute(
                "INSERT INTO orders VALUES ('007', '2024-01-05', '2024-01-05 10:00+01', 1706.18), "
                "('ü', NULL, NULL, -2.5)"
            )
            connection.commit()
        raw = read_file(uri, query="SELECT * FROM orders ORDER BY amount DESC")
        at = datetime(2024, 1, 5, 9, tzinfo=UTC)
        assert raw.table.rows() == [
            ("007", date(2024, 1, 5), at, 1706.18),
            ("ü", None, None, -2.5),
        ]
        assert raw.source == "127.0.0.1/postgres"
        long = read_file(uri, query="SELECT 12345678901234567890::numeric AS id, 1 AS n")
        assert long.table.rows() == [("12345678901234567890", 1)]
        assert "read-only" in refused(uri, query="DELETE FROM orders RETURNING *")
        assert "secret" not in refused(uri, query="SELECT nothing")
        assert refused(uri) == (
            "127.0.0.1/postgres is a database server; name the query to read with query=."
        )


def test_a_server_that_is_not_there_is_said_without_the_password() -> None:
    message = refused("postgresql://shop:secret@127.0.0.1:1/db", query="SELECT 1")
    assert message.startswith("127.0.0.1/db does not answer the query (")
    assert "secret" not in message
    assert refused("mysql://root:secret@h/db", query="SELECT 1") == (
        "A database at mysql:// is not one that crmkit reads; write "
        "postgresql://user@host/database, or export the table as CSV."
    )


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_the_table_of_a_zip_is_read(tmp_path: Path) -> None:
    members = {"log/orders.csv": CSV, "log/README.txt": b"hello", "__MACOSX/._orders.csv": b"\0"}
    raw = read_file(zipped(tmp_path / "log.zip", members))
    assert (raw.table.rows(), raw.source) == (ROWS, "log.zip")
    twice = zipped(tmp_path / "log.zip", {"a.gz": gzip.compress(CSV)})
    assert read_file(twice).table.rows() == ROWS
    parts = zipped(tmp_path / "log.zip", {"b.csv": CSV, "a.csv": CSV})
    assert read_file(parts).table.rows() == [*ROWS, *ROWS]
    assert refused(zipped(tmp_path / "log.zip", {"a.csv": CSV, "b.json": b"[]"})) == (
        "log.zip holds 2 files of several forms ('a.csv', 'b.json'); unpack it and name the one "
        "that holds the log."
    )


def test_a_folder_or_a_list_is_one_log(tmp_path: Path) -> None:
    put(tmp_path, "feb.csv", b"amount;day;customer\n5;2024-02-01;bob\n5\nTotal;;\n")
    put(tmp_path, "jan.csv", CSV)
    put(tmp_path, ".hidden", b"x")
    raw = read_file([tmp_path / "jan.csv", tmp_path / "feb.csv"])
    assert raw.table.rows() == [*ROWS, ("bob", "2024-02-01", "5")]
    assert raw.lines.to_list() == [2, 3, 2]
    assert raw.set_aside.rows() == [
        (3, "1 cell where the header has 3, in feb.csv", "5"),
        (4, "total row below the table, in feb.csv", "Total;;"),
    ]
    assert raw.notes == (
        *("2 files", "encoding utf-8", "separator ',' in jan.csv", "separator ';' in feb.csv"),
    )
    assert raw.source == "jan.csv and 1 more"
    folder = read_file(tmp_path)
    assert folder.table.select("customer").rows() == [("bob",), ("007",), ("ann",)]
    put(tmp_path, "mar.csv", b"customer,date,amount\na,2024-01-01,1\n")
    assert refused(tmp_path) == (
        "mar.csv has other columns than feb.csv (without 'day', with 'date'); files of one log "
        "need the same columns."
    )
    put(tmp_path, "notes.md", b"x")
    assert refused(tmp_path).endswith("; leave those of one log in it, or name them.")


def test_a_column_that_is_text_in_one_file_is_text_in_all(tmp_path: Path) -> None:
    one = file_makers.xlsx(tmp_path / "a.xlsx", {"S": [["id", "n"], [7, 1]]})
    two = file_makers.xlsx(tmp_path / "b.xlsx", {"S": [["id", "n"], ["x7", 1.5]]})
    assert read_file([one, two]).table.rows() == [("7", 1.0), ("x7", 1.5)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.7", "x is a PDF, which crmkit does not read; save its table as CSV or Excel."),
        (
            b"\x89PNG\r\n",
            "x is an image, which crmkit does not read; save its table as CSV or Excel.",
        ),
        (bz2.compress(CSV), "x is packed by bzip2, which crmkit does not read; unpack it first."),
        (
            b"\0" * 100_000,
            (
                "x is not a table: it holds binary data; name the file that holds the log, as CSV, "
                "Excel, JSON, Parquet or SQLite."
            ),
        ),
        (
            gzip.compress(CSV)[:-20],
            "x is packed, but damaged or cut off; get it anew, or unpack it first.",
        ),
        (b"PAR1 and then nothing", "x is a Parquet file, but damaged or cut off; get it anew."),
        (b"ARROW1\0\0 and then", "x is an Arrow file, but damaged or cut off; get it anew."),
        (b'[{"a": 1},\n{"a"', "x is damaged JSON (line 2); save it anew, or as CSV."),
        (b"[" * 100_000, "x is damaged JSON; save it anew, or as CSV."),
        (
            b'{\n"a": 1\n}',
            (
                "x is JSON without a list of records; save a list of objects, such as "
                '[{"customer": "007", "amount": 12.5}], or one object in each line.'
            ),
        ),
        (b"[]", "x holds no records; save a list of objects, or one object in each line."),
        (
            b"<html><p>log in</p></html>",
            "x is a web page without a table; save its table as CSV or Excel.",
        ),
        (
            b'<?xml version="1.0"?><a/>',
            "x is an XML file, which crmkit does not read; save its table as CSV or Excel.",
        ),
        (
            b"PK\x03\x04 and then",
            "x is a damaged zip archive or workbook, which crmkit does not read; get it anew.",
        ),
    ],
    ids=[
        *("pdf", "image", "bzip2", "zeros", "cut gzip", "parquet", "arrow", "cut json"),
        *("deep json", "object", "empty list", "page", "xml", "zip"),
    ],
)
def test_what_holds_no_table_is_said_in_one_sentence(
    tmp_path: Path, data: bytes, message: str
) -> None:
    assert refused(put(tmp_path, "x", data)) == message


def test_office_files_without_a_table_are_said(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert refused(file_makers.compound(path, "EncryptedPackage", b"")) == (
        "x is protected by a password, which crmkit does not read; save it without one."
    )
    assert refused(file_makers.compound(path, "WordDocument", b"")) == (
        "x is a Word document, which crmkit does not read; save its table as CSV or Excel."
    )
    assert refused(zipped(path, {"word/document.xml": b""})).startswith("x is a Word document, ")
    assert refused(file_makers.xlsx(path, {"S": [["only"]]})) == (
        "x has no sheet with a table in it."
    )
    assert refused(file_makers.xlsx_of_far_cells(path)).startswith(
        "x has a sheet that spans 17,179,869,184 cells, more than crmkit holds; "
    )


def test_bombs_are_refused_before_they_go_off(tmp_path: Path) -> None:
    zeros = gzip.compress(b"0,0\n" * (1 << 20), mtime=0) * 64  # 256 MB in 260 kB
    message = (
        "x unpacks to more than a log can be (above 2 GB, or 200 times its size); if it is one, "
        "unpack it first and name the file."
    )
    assert refused(put(tmp_path, "x", zeros)) == message
    with (
        zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as file,
    ):
        for _ in range(100):
            file.write(bytes(1 << 20))
    assert refused(tmp_path / "x") == message
    nested = CSV
    for _ in range(5):
        nested = gzip.compress(nested)
    assert refused(put(tmp_path, "x", nested)) == "x is packed 4 times over; unpack it first."


@pytest.mark.parametrize(
    ("module", "option", "extra"),
    [("fastexcel", "x.xlsx", "excel"), ("duckdb", "x.duckdb", "duckdb"), ("", "", "database")],
)
def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, option: str, extra: str
) -> None:
    path = tmp_path / option
    if extra == "excel":
        file_makers.xlsx(path, {"S": [["a", "b"], [1, 2]]})
    elif extra == "duckdb":
        duckdb.connect(str(path)).close()
    monkeypatch.setitem(sys.modules, module or "adbc_driver_postgresql", None)
    source = path if module else "postgresql://localhost/db"
    options = {} if module else {"query": "SELECT 1"}
    assert f'pip install "crmkit[{extra}]"' in refused(source, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sheet": "S"}, "`sheet` is for a workbook, and x is a text file; leave it out."),
        (
            {"table": "t"},
            (
                "`table` is for an SQLite database or a DuckDB database, and x is a text file; "
                "leave it out."
            ),
        ),
        ({"separator": ";;"}, "`separator` must be one character, got ';;'.\nWrite \";\" for it."),
        ({"separator": '"'}, "`separator` cannot be a quote or a line end, got '\"'."),
        ({"encoding": 5}, "`encoding` must be text, got 5."),
        (
            {"encoding": "utf-9"},
            (
                "`encoding` must be the name of an encoding, got 'utf-9'.\n"
                'Write "utf-8", "cp1252", "gb18030", "big5", "shift_jis" or another that Python '
                "knows."
            ),
        ),
    ],
)
def test_an_option_that_does_not_fit_is_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    assert refused(put(tmp_path, "x", CSV), **options) == message


def test_a_path_that_is_not_one_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "no.csv"
    assert refused(missing) == f"The file {missing} does not exist."
    assert refused([]) == "The list of files is empty; name one at least."
    assert refused(5) == "`path` must be a path or a list of paths, got 5."
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty") == f"The folder {tmp_path / 'empty'} has no files."


def test_the_public_function_gives_each_library_its_own_table(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "id": ["007", None],
            "n": [2**60 + 1, None],
            "x": [1.5, None],
            "ok": [True, None],
            "day": [date(2024, 1, 5), None],
        }
    )
    table.write_parquet(tmp_path / "log.parquet")
    assert intake.read_file(tmp_path / "log.parquet", backend="polars").equals(table)
    arrow = intake.read_file(tmp_path / "log.parquet", backend="pyarrow")
    assert isinstance(arrow, pa.Table)
    assert arrow.to_pylist() == table.to_dicts()
    frame = intake.read_file(tmp_path / "log.parquet")
    assert isinstance(frame, pd.DataFrame)
    assert frame["n"][0] == 2**60 + 1
    assert frame["n"].isna().tolist() == [False, True]
    assert frame["id"][0] == "007"
    assert frame["id"].isna()[1]
    assert frame["day"][0] == pd.Timestamp("2024-01-05")
    assert frame["ok"][0]
    with pytest.raises(InvalidArgumentError, match="`backend` must be one of"):
        intake.read_file(tmp_path / "log.parquet", backend="dask")  # type: ignore[arg-type]

"""Text files of any encoding, separator and layout become tables; what is no row is set aside."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmkit._door.files import RawFile, read_file
from crmkit._door.files.text.encodings import of_head
from crmkit.errors import InvalidArgumentError

LOG = [["customer", "day", "amount"], ["007", "2024-01-05", "12.50"], ["ann", "2024-01-06", "8"]]

# Names and words as logs have them, in the encodings that offices save them in.
LANGUAGES: dict[str, list[tuple[list[str], list[str]]]] = {
    "cp1252": [
        (["Kundennummer", "Betrag in €"], ["Müller", "Jürgen Groß", "Schön & Söhne", "1.706,18 €"]),
        (["N° client", "Montant réglé"], ["Hélène Lefèvre", "Noël", "Saint-Étienne", "1 706,18 €"]),
        (["Nº cliente", "Importe"], ["Peña", "Muñoz", "José Martínez", "Güemes"]),
        (["customer", "amount"], ["René", "Renè", "Renê", "£12.50", "Åse", "São", "Smith – Co"]),  # noqa: RUF001
    ],
    "gb18030": [
        (["客户编号", "金额"], ["张伟", "王芳", "2022年01月12日", "苹果手机 iPhone", "欧阳锋"]),
        (["customer", "amount"], ["张伟", "王芳", "李娜", "刘洋", "陈静", "杨帆"]),
    ],
    "big5": [
        (["客戶編號", "金額"], ["陳怡君", "林志明", "2022年01月12日", "蘋果手機", "高雄"]),
        (["customer", "amount"], ["陳怡君", "林志明", "黃美玲", "李雅婷", "王建宏"]),
    ],
    "cp932": [
        (["顧客番号", "金額"], ["佐藤太郎", "ワンピース", "2022年01月12日", "コーヒー", "ｱｲｳ"]),
        (["customer", "amount"], ["佐藤太郎", "鈴木花子", "ワンピース", "りんご"]),
    ],
    "euc_jp": [(["顧客番号", "金額"], ["佐藤太郎", "ワンピース", "コーヒー"])],
    "cp1251": [(["Клиент", "Сумма"], ["Иванов", "Мария Петрова", "Москва"])],
    "cp1250": [(["Zákazník", "Částka"], ["Dvořák", "Říha", "Žižka", "Plzeň"])],
    "cp949": [(["고객번호", "금액"], ["김민수", "이영희", "서울", "부산"])],
}


def write(
    folder: Path, text: str | bytes, *, name: str = "log.csv", encoding: str = "utf-8"
) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def aside(raw: RawFile) -> list[tuple[int, str, str]]:
    return raw.set_aside.rows()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_separator_encoding_and_line_end_are_found(
    tmp_path: Path, separator: str, encoding: str, line_end: str
) -> None:
    text = line_end.join(separator.join(row) for row in LOG) + line_end
    raw = read_file(write(tmp_path, text, encoding=encoding))
    assert [raw.table.columns, *map(list, raw.table.rows())] == LOG
    assert raw.lines.to_list() == [2, 3]
    assert raw.set_aside.is_empty()
    shown = "tab" if separator == "\t" else repr(separator)
    assert raw.notes == (f"encoding {encoding.removesuffix('-sig')}", f"separator {shown}")


@pytest.mark.parametrize(
    ("encoding", "header", "words"),
    [(name, *each) for name, sets in LANGUAGES.items() for each in sets],
)
@pytest.mark.parametrize("n_rows", [2, 12])
def test_the_encoding_of_a_few_names_is_found(
    encoding: str, header: Sequence[str], words: Sequence[str], n_rows: int
) -> None:
    draw = random.Random(n_rows)
    for _ in range(10):
        rows = [f"{draw.choice(words)};2022-01-12;{draw.randint(1, 999)}" for _ in range(n_rows)]
        text = "\n".join([f"{header[0]};date;{header[1]}", *rows]).encode(encoding)
        found = of_head(text)
        assert text.decode(found) == text.decode(encoding), found


def test_names_that_differ_in_an_accent_stay_apart(tmp_path: Path) -> None:
    names = ["René", "Renè", "Renê"]
    text = "customer,amount\n" + "".join(f"{name},5\n" for name in names * 50)
    raw = read_file(write(tmp_path, text, encoding="cp1252"))
    assert raw.table["customer"].n_unique() == 3
    assert raw.notes[0] == "encoding cp1252"


def test_an_accent_far_down_decides_the_encoding_too(tmp_path: Path) -> None:
    text = "customer,amount\n" + "ann,5\n" * 300_000 + "Müller,5\n"
    raw = read_file(write(tmp_path, text, encoding="cp1252"))
    assert raw.table["customer"][-1] == "Müller"
    assert raw.notes[0] == "encoding cp1252"


def test_one_line_in_another_encoding_is_set_aside(tmp_path: Path) -> None:
    text = ("id,name\n" + "1,é\n" * 30).encode() + "2,é\n3,z\n".encode("cp1252")
    raw = read_file(write(tmp_path, text))
    assert raw.table.height == 31
    assert aside(raw) == [(32, "not readable as utf-8", "2,�")]


def test_the_encoding_that_is_given_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path, "id,name\n1,Müller\n", encoding="cp850")
    assert read_file(path, encoding="cp850").table.rows() == [("1", "Müller")]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Kunde;Betrag\n1;2,5\n2;3,5\n", ["Kunde", "Betrag"]),
        ("Kunde;Betrag, netto\n1;2,5\n2;3,5\n", ["Kunde", "Betrag, netto"]),
        ("Kunde\tDatum\tBetrag\n1\t1.2.24\t2,5\n", ["Kunde", "Datum", "Betrag"]),
        ("id,tags,amount\n1,a;b;c;d,2\n2,e;f;g;h,3\n", ["id", "tags", "amount"]),
        ('id,tags,amount\n1,"a|b|c|d|e",2\n2,"a|b|c|d|e",3\n', ["id", "tags", "amount"]),
        ("sep=|\nid|a;b\n1|2\n", ["id", "a;b"]),
        ("id^amount\n1^2\n", None),
    ],
)
def test_the_separator_cuts_header_and_rows_alike(
    tmp_path: Path, text: str, columns: list[str] | None
) -> None:
    raw = read_file(write(tmp_path, text), separator=None if columns else "^")
    assert raw.table.columns == (columns or ["id", "amount"])


def test_titles_and_totals_are_set_aside(tmp_path: Path) -> None:
    text = (
        "Sales of the shop,,\nprinted on 1 July,,\n,,\ncustomer,day,amount\n"
        "007,2024-01-05,12.50\nann,2024-01-06,8\n,,\nGrand total:,,20.50\nPage 1 of 1,,\n"
    )
    raw = read_file(write(tmp_path, text))
    assert raw.table.rows() == [tuple(row) for row in LOG[1:]]
    assert raw.lines.to_list() == [5, 6]
    assert raw.notes[2:] == ("header in line 4",)
    assert aside(raw) == [
        (1, "title row above the header", "Sales of the shop,,"),
        (2, "title row above the header", "printed on 1 July,,"),
        (3, "empty row", ",,"),
        (7, "empty row", ",,"),
        (8, "total row below the table", "Grand total:,,20.50"),
        (9, "row below the table", "Page 1 of 1,,"),
    ]


@pytest.mark.parametrize(
    "above",
    [
        "Report\n",
        "Report, 2023, July\n\n",
        "From;2023-01-01\nTo;2023-02-01\n\n",
        "\n\n\n",
        "Shop GmbH;;\n;;\nUmsatz;;\n",
    ],
)
def test_the_header_is_found_below_titles_of_any_form(tmp_path: Path, above: str) -> None:
    raw = read_file(write(tmp_path, above + "id;day;amount\n1;2023-01-05;5,0\n2;2023-01-06;7,5\n"))
    assert raw.table.columns == ["id", "day", "amount"]
    assert raw.table.height == 2
    assert raw.lines[0] == above.count("\n") + 2


@pytest.mark.parametrize(
    "total",
    [
        *("Total;;20.5", "TOTAL EUR;;20.5", "Summe;;20.5", "Gesamtsumme:;;20.5", "Gesamt;;20.5"),
        *("Total général;;20.5", "Somme;;20.5", "Suma total;;20.5", "Importe total;;20.5"),
        *("合计;;20.5", "总计;;20.5", "總計;;20.5", "合計;;20.5", "総計;;20.5", ";Total;20.5"),
        *(";;20.5", "Total;20.5", "Total", "\nTotal;;20.5", "\nTotal;20.5"),
    ],
)
def test_a_total_in_any_language_is_not_a_row(tmp_path: Path, total: str) -> None:
    text = "id;day;amount\n1;2023-01-05;8\n2;2023-01-06;7.5\n3;2023-01-06;5\n" + total + "\n"
    raw = read_file(write(tmp_path, text))
    assert raw.table["id"].to_list() == ["1", "2", "3"]
    assert raw.set_aside["reason"].to_list() == ["total row below the table"]
    assert raw.set_aside["content"].to_list() == [total.strip()]


@pytest.mark.parametrize(
    "last",
    [
        "Total;2023-01-07;5",
        "Total Energies;;5",
        "Anna;2023-01-07;",
        "Somme & Fils;2023-01-07;5",
        "4;;",
    ],
)
def test_a_customer_in_the_last_row_is_a_row(tmp_path: Path, last: str) -> None:
    text = "id;day;amount\n1;2023-01-05;8\n2;2023-01-06;7.5\n3;2023-01-06;5\n" + last + "\n"
    raw = read_file(write(tmp_path, text))
    assert raw.table.height == 4
    assert raw.set_aside.is_empty()


def test_rows_with_other_cells_than_the_header_are_set_aside_whole(tmp_path: Path) -> None:
    text = "a;b;c\n1;2;3\n4;5\n6;7;8;9\n7;8;9;\n1;2;3\n10"
    raw = read_file(write(tmp_path, text))
    assert raw.table.rows() == [("1", "2", "3"), ("7", "8", "9"), ("1", "2", "3")]
    assert raw.lines.to_list() == [2, 5, 6]
    assert aside(raw) == [
        (3, "2 cells where the header has 3", "4;5"),
        (4, "4 cells where the header has 3", "6;7;8;9"),
        (7, "1 cell where the header has 3", "10"),
    ]


def test_a_quote_is_what_a_spreadsheet_takes_it_for(tmp_path: Path) -> None:
    text = (
        'id,what,n\n1,5" pipe,3\n2,"a\nb, c",4\n3,"x"y,5\n4,"open,6\n5,z,7\n6,"q ""u""",8\n7,"",9\n'
    )
    raw = read_file(write(tmp_path, text))
    assert raw.table.rows() == [
        ("1", '5" pipe', "3"),
        ("2", "a\nb, c", "4"),
        ("5", "z", "7"),
        ("6", 'q "u"', "8"),
        ("7", None, "9"),
    ]
    assert raw.lines.to_list() == [2, 3, 7, 8, 9]
    assert aside(raw) == [(5, "broken quotes", '3,"x"y,5'), (6, "broken quotes", '4,"open,6')]


def test_lines_are_those_of_the_file_below_cells_of_several_lines(tmp_path: Path) -> None:
    raw = read_file(write(tmp_path, 'id,note\r\n1,"a\r\nb\r\nc"\r\n2,x\r\n\r\n3,y\r\n\r\n\r\n'))
    assert raw.table["note"].to_list() == ["a\r\nb\r\nc", "x", "y"]
    assert raw.lines.to_list() == [2, 5, 7]


def test_line_ends_of_all_three_kinds_in_one_file(tmp_path: Path) -> None:
    raw = read_file(write(tmp_path, "a,b\r\n1,2\n3,4\r5,6\n\n\n"))
    assert raw.table.rows() == [("1", "2"), ("3", "4"), ("5", "6")]
    assert raw.lines.to_list() == [2, 3, 4]


def test_a_row_with_nul_is_set_aside(tmp_path: Path) -> None:
    raw = read_file(write(tmp_path, b"a,b\n1,2\n3,\x004\n5,6\n" + b"7,8\n" * 50))
    assert raw.table.height == 52
    assert aside(raw) == [(3, "holds NUL bytes", "3,\x004")]


@pytest.mark.parametrize(
    ("text", "columns", "notes"),
    [
        (
            "id,amount,amount,,id\n1,2,3,4,5\n",
            ["id", "amount", "amount (2)", "column 4", "id (2)"],
            ("column 4 has no name", "2 columns 'id', numbered", "2 columns 'amount', numbered"),
        ),
        ("a,b,\n1,2,\n3,4,\n", ["a", "b"], ("column 3 without name and values left out",)),
        ("a,b,,\n1,2\n3,4\n", ["a", "b"], ()),
        ("a,b\n1,2,\n3,4,\n", ["a", "b"], ("column 3 without name and values left out",)),
        (
            '"a","b"\n"1","x","y"\n"2","z","w"\n',
            ["column 1", "a", "b"],
            ("the first column holds row numbers", "column 1 has no name"),
        ),
        (
            "00017,1997-01-01\n00018,1997-01-02\n",
            ["00017", "1997-01-01"],
            ("the header looks like a row of values",),
        ),
        (' id , "a" \n1,2\n', [" id ", ' "a" '], ()),
        ("=id,amount\n1,2\n", ["=id", "amount"], ()),
    ],
)
def test_each_column_gets_a_name_of_its_own(
    tmp_path: Path, text: str, columns: list[str], notes: tuple[str, ...]
) -> None:
    raw = read_file(write(tmp_path, text))
    assert raw.table.columns == columns
    assert set(raw.notes[2:]) == set(notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "log.csv is empty."),
        (b"\xef\xbb\xbf\r\n \r\n", "log.csv is empty."),
        (b"a,b\n", "log.csv has no rows below its header."),
        (b"a,b\n\n,\n", "log.csv has no rows below its header."),
        (
            b"customer\n1\n2\n",
            (
                "log.csv has one column only ('customer'): no semicolon, tab, pipe or comma cuts "
                "its lines into cells; save it with one of them, or name another with separator=."
            ),
        ),
        (
            b"customer,amount\nann,12,50\nbob,13,50\n",
            (
                "log.csv has no row that reads as one: 3 cells where the header has 2 in line 2, "
                "and likewise in all 2 rows; look at the quotes and at numbers with a decimal "
                "comma, and save it again with the separator ';'."
            ),
        ),
        (
            b"customer,date,amount\nann,2024-01-01,12,50\nbob,2024-01-02,13,50\n",
            (
                "log.csv has no row that reads as one: 4 cells where the header has 3 in line 2, "
                "and likewise in all 2 rows; look at the quotes and at numbers with a decimal "
                "comma, and save it again with the separator ';'."
            ),
        ),
    ],
)
def test_a_text_without_a_table_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_file(write(tmp_path, text))
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["=cmd().csv", "glob[1]*?.csv", "ü 客.csv", "-rf.csv"])
def test_a_file_may_be_called_anything(tmp_path: Path, name: str) -> None:
    raw = read_file(write(tmp_path, "a,b\n1,2\n", name=name))
    assert raw.table.rows() == [("1", "2")]
    assert raw.source == name


# The header and the first row are plain, as no file lacks them; all else is free.
CELLS = st.text(st.sampled_from(list("ab0,;|\t\"' \n.€é-")), max_size=6)
TABLES = st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8)


@given(
    table=TABLES,
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "gb18030"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_comes_back_as_it_was_written(  # noqa: PLR0917 - one for each choice
    tmp_path: Path,
    table: list[tuple[str, str, str]],
    separator: str,
    encoding: str,
    line_end: str,
    quoting: int,
) -> None:
    if encoding == "gb18030":
        table = [tuple(cell.replace("é", "客") for cell in row) for row in table]  # type: ignore[misc]
    rows = [("id", "day", "amount"), ("x", "y", "z"), *table, ("u", "v", "w")]
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=line_end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    path = write(tmp_path, out.getvalue(), encoding=encoding)
    raw = read_file(path, encoding=None if encoding.startswith("utf") else encoding)
    expected = [tuple(cell or None for cell in row) for row in rows[1:]]
    filled = [row for row in expected if any(row)]
    assert raw.table.rows() == filled
    assert raw.table.columns == ["id", "day", "amount"]
    assert raw.table.height + raw.set_aside.height == len(expected)
    assert set(raw.set_aside["reason"]) <= {"empty row"}


@given(
    lines=st.lists(st.text(st.sampled_from(list('ab,"\n\r é')), max_size=12), max_size=12),
    cut=st.integers(0, 30),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_broken_rows_are_kept_or_set_aside_and_none_is_lost(
    tmp_path: Path, lines: list[str], cut: int
) -> None:
    """Letters come out as often as they went in, in the table or beside it."""
    plain = "a,b\n" + "x,y\n" * len(lines or "x")  # so that most rows have two cells
    text = plain + "\n".join(lines)
    data = text.encode()[: max(len(text.encode()) - cut, len(plain))]
    raw = read_file(write(tmp_path, data))
    cells = "".join(cell or "" for row in raw.table.rows() for cell in row)
    found = cells + "".join(raw.set_aside["content"])
    assert found.count("a") == data.count(b"a") - 1  # but for the header's
    assert found.count("b") == data.count(b"b") - 1
    assert raw.lines.is_sorted()


def test_a_row_looked_at_and_a_row_read_at_once_are_the_same(tmp_path: Path) -> None:
    """One bad row sends the whole file the slow way, block by block, which changes nothing else."""
    draw = random.Random(5)
    cells = ["a", "b c", "", '"q, r"', '"s\nt"', '"u ""v"""']
    rows = [",".join([str(i), draw.choice(cells), draw.choice(cells)]) for i in range(200_000)]
    plain = read_file(write(tmp_path, "id,x,y\n" + "\n".join(rows) + "\n", name="plain.csv"))
    rows.insert(150_000, "1,2")
    rows.insert(50_000, '1,2" x,3')
    broken = read_file(write(tmp_path, "id,x,y\n" + "\n".join(rows) + "\n", name="broken.csv"))
    assert broken.set_aside["content"].to_list() == ["1,2"]
    kept = broken.table.with_columns(line=broken.lines)
    assert kept.filter(pl.col("x") == '2" x').height == 1
    kept = kept.filter((pl.col("x") != '2" x').fill_null(value=True))
    assert kept.drop("line").equals(plain.table)
    shift = kept["line"].cast(pl.Int64) - plain.lines.cast(pl.Int64)
    assert shift.rle().struct.field("value").to_list() == [0, 1, 2]

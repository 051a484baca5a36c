"""Logs come from files as they are, and tables go to files that no spreadsheet runs."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from crmkit._door import files
from crmkit.errors import InvalidArgumentError, MissingColumnsError


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"],
            {
                "customer": "CustomerID",
                "date": "InvoiceDate",
                "quantity": "Quantity",
                "price": "UnitPrice",
                "order_id": "InvoiceNo",
            },
        ),
        (
            ["customer_id", "order_date", "revenue", "first_name"],
            {"customer": "customer_id", "date": "order_date", "amount": "revenue"},
        ),
        (
            ["Client", "Day", "Total (EUR)", "total"],
            {"customer": "Client", "date": "Day", "amount": "total"},
        ),
        (["user id", "timestamp"], {"customer": "user id", "date": "timestamp"}),
        (["customer", "date", "qty"], {"customer": "customer", "date": "date"}),
    ],
)
def test_common_names_are_found(names: list[str], expected: dict[str, str]) -> None:
    assert files.find_columns(names, given={}) == expected


def test_what_the_user_says_comes_first() -> None:
    names = ["customer_id", "household", "date", "amount", "margin"]
    given = {"customer": "household", "amount": "margin", "date": None}
    found = files.find_columns(names, given=given)
    assert found == {"customer": "household", "date": "date", "amount": "margin"}


def test_a_misspelt_column_gets_the_closest_name() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        files.find_columns(["customer_id", "date"], given={"customer": "custmer_id"})
    assert str(caught.value) == (
        "No column 'custmer_id' for the customer among 'customer_id', 'date'. "
        "Did you mean 'customer_id'?"
    )


def test_of_400_columns_a_few_are_shown() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        files.find_columns([f"v{i}" for i in range(400)], given={})
    message = str(caught.value)
    assert message.startswith("No column looks like the customer among 'v0', 'v1', ")
    assert message.endswith("'v11' and 388 more; name it with --customer.")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_usual_separator_is_found(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(separator.join("abc") + "\n" + separator.join(["1", "x y", "2.5"]) + "\n")
    assert files.column_names(path) == ["a", "b", "c"]
    assert files.read_columns(path, ["c", "a"]).rows() == [("2.5", "1")]


def test_cells_keep_their_leading_zeros(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"customer,day\n00017,2024-01-01\n"))
    assert files.read_columns(path, ["customer"]).rows() == [("00017",)]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"customer": [17], "amount": [1.5], "other": ["x"]}).write_parquet(path)
    assert files.read_columns(path, ["customer", "amount"]).rows() == [(17, 1.5)]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "log.csv is empty."), (b"a,b\n", "log.csv has no rows below its header.")],
)
def test_a_file_without_rows_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidArgumentError) as caught:
        files.read_columns(path, ["a"])
    assert str(caught.value) == message


def test_formulas_in_text_are_disarmed(tmp_path: Path) -> None:
    cells = ["=cmd()", "+1", "-1", "@x", "\tx", "\rx", "fine", "a=b", None]
    table = pl.DataFrame({"=id": cells, "amount": [-1.0] * 9})
    files.write_table(table, tmp_path / "out")
    written = (tmp_path / "out.csv").read_text().split("\n")
    assert written[0] == "'=id,amount"
    safe = files.safe_for_spreadsheets(table)
    assert safe["'=id"].to_list() == [
        "'=cmd()",
        "'+1",
        "'-1",
        "'@x",
        "'\tx",
        "'\rx",
        "fine",
        "a=b",
        None,
    ]
    assert safe["amount"].to_list() == [-1.0] * 9
    assert pl.read_parquet(tmp_path / "out.parquet").equals(table)

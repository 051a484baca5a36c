"""The command, as a new user runs it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crmkit import cli, pipeline
from crmkit.datasets import load_cdnow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log as a user may have it: other names, odd ids, and a few bad rows."""
    path = tmp_path_factory.mktemp("log") / "sales.csv"
    named = load_cdnow(sample=True, backend="polars").select(
        pl.col("customer_id")
        .replace({"15562": "<script>alert(1)</script>", "00021": "=cmd()"})
        .alias("Customer ID"),
        pl.col("date").dt.strftime("%d.%m.%Y").alias("Order Date"),
        pl.col("amount").cast(pl.String).alias("Total"),
    )
    bad = pl.DataFrame(
        [(None, "01.02.1997", "5.0"), ("x", "no day", "5.0"), ("x", "01.02.1997", "much")],
        schema=named.columns,
        orient="row",
    )
    pl.concat([named, bad]).write_csv(path)
    return path


def test_a_log_becomes_tables_and_a_report(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(log), "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "Read 6,922 rows of sales.csv (customer = Customer ID, date = Order Date, " in told
    assert f"Set aside 3 of them; {tmp_path / 'tables' / 'set_aside.csv'} says why." in told
    assert "As of 1998-06-30, the last day in it; looking 365 days ahead." in told
    assert "customers" in told
    customers = pl.read_parquet(tmp_path / "customers.parquet")
    assert customers.height == 2357
    assert {"<script>alert(1)</script>", "=cmd()"} <= set(customers["customer_id"])
    as_csv = (tmp_path / "customers.csv").read_text()
    assert "'=cmd()" in as_csv
    assert "\n=cmd()" not in as_csv
    reasons = pl.read_parquet(tmp_path / "tables" / "set_aside.parquet")["reason"]
    assert set(reasons) == {"missing customer", "unparsable date", "unparsable amount"}
    page = (tmp_path / "report.html").read_text()
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_every_table_is_written_twice_and_every_fit_kept(log: Path, tmp_path: Path) -> None:
    assert cli.main(["report", str(log), "--out", str(tmp_path), "--margin", "0.3"]) == 0
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    result = pipeline.run(load_cdnow(sample=True, backend="polars"), as_of=date(1998, 6, 30))
    expected = {*result.frames(), "findings", "set_aside"} - {"customers"}
    assert names == {f"{name}.{kind}" for name in expected for kind in ("csv", "parquet")}
    for name in ("breakpoints", "purchases", "spend", "stages", "tiers"):
        json.loads((tmp_path / "kept" / f"{name}.json").read_text())


def test_without_a_file_it_shows_cdnow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "Read 69,659 rows of CDNOW, January 1997 to June 1998" in told
    assert "23,570" in told
    assert f"and {tmp_path / 'report.html'}." in told


def test_a_log_in_which_nobody_came_back_gives_what_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("customer,date,amount\na,2024-01-01,5\nb,2024-01-01,5\n")
    assert cli.main(["report", str(path), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "Left out: Expected purchases, expected value and churn risk: a model needs" in told
    assert list((tmp_path / "out" / "kept").iterdir()) == []
    assert "Left out, and why" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "log.csv is empty."),
        (b"customer,date,amount\n", "log.csv has no rows below its header."),
        (
            b"customer,date\na,2024-01-01\n",
            (
                "No column looks like the amount, nor do two look like a quantity and a unit "
                "price; name them with --amount, or --quantity and --price."
            ),
        ),
        (
            b"customer,date,amount\na,someday,5\nb,2024-01-01,x\nc,never,5\n",
            "No row of log.csv can be used: unparsable date in 2 of 3 rows.",
        ),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "No column looks like the customer among "),
        (b"\x00" * 2_000_000, "log.csv is not a CSV file: its first line is not text."),
        (b"x" * 2_000_000, "log.csv is not a CSV file: its first line is not text."),
        (b'customer,date,amount\n"a,2024-01-01,5\n', ""),
        (b"customer,date,amount\na,b,c,d,e\n", "log.csv does not read as a table: "),
    ],
)
def test_a_file_that_will_not_do_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, sentence: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    assert cli.main(["report", str(path), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith(f"crmkit: {sentence}")
    assert len(line) < 700


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("log.parquet", "log.parquet does not read as a table: "),
        ("log.csv.gz", "log.csv.gz ends in .gz, but what it holds was not packed by gzip."),
    ],
)
def test_a_file_that_is_not_what_its_name_says_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"customer,date,amount\na,2024-01-01,5\n")
    assert cli.main(["report", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"crmkit: {sentence}")


def test_a_huge_file_of_nothing_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    with path.open("wb") as file:
        file.truncate(2**31)  # 2 GB that take no room on the disk
    assert cli.main(["report", str(path)]) == 2
    assert capsys.readouterr().err == (
        "crmkit: log.csv is not a CSV file: its first line is not text.\n"
    )


def test_no_file_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path / "nothing.csv")]) == 2
    missing = tmp_path / "nothing.csv"
    assert capsys.readouterr().err == f"crmkit: The file {missing} does not exist.\n"


def test_a_folder_that_cannot_be_made_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file")
    assert cli.main(["report", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("crmkit: [Errno ")


def test_400_columns_are_no_trouble(log: Path, tmp_path: Path) -> None:
    wide = pl.read_csv(log, infer_schema=False).with_columns(
        pl.lit("x").alias(f"extra {i}") for i in range(397)
    )
    wide.write_csv(tmp_path / "wide.csv")
    out = str(tmp_path / "out")
    assert cli.main(["report", str(tmp_path / "wide.csv"), "--out", out]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--as-of", "soon"], "argument --as-of: 'soon' is not a day; write 2024-12-31"),
        (["--margin", "much"], "argument --margin: invalid float value: 'much'"),
    ],
)
def test_an_option_that_will_not_do_is_explained(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["report", *arguments])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_rate_in_percent_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "--margin", "30"]) == 2
    assert capsys.readouterr().err == (
        "crmkit: `margin` must be above 0 and at most 1, got 30.0. Write 0.3 for 30 %.\n"
    )


def test_progress_is_shown_on_a_terminal_only(log: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crmkit.cli", "report", str(log), "--out", str(tmp_path)]
    quiet = subprocess.run(command, capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end has closed
                break
            if not part:
                break
            shown += part
    assert running.returncode == 0
    assert b"fitting lifetime value ..." in shown
    assert b"drawing the report (" in shown

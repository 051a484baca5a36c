"""The command, as a new user runs it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import crmkit
from crmkit import cli, events, pipeline
from crmkit.datasets import load_cdnow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log as a user may have it: other names, odd ids, and a few bad rows."""
    path = tmp_path_factory.mktemp("log") / "sales.csv"
    named = load_cdnow(sample=True, backend="polars").select(
        pl.col("customer_id")
        .replace({"05420": "<script>alert(1)</script>", "00021": "=cmd()"})
        .alias("Customer ID"),
        pl.col("date").dt.strftime("%d.%m.%Y").alias("Order Date"),
        pl.col("amount").cast(pl.String).alias("Total"),
        pl.when(pl.col("customer_id") < "12000")
        .then(pl.lit("south"))
        .otherwise(pl.lit("north"))
        .alias("Region"),
    )
    bad = pl.DataFrame(
        [
            (None, "01.02.1997", "5.0", "south"),
            ("x", "no day", "5.0", "south"),
            ("x", "01.02.1997", "much", "south"),
        ],
        schema=named.columns,
        orient="row",
    )
    pl.concat([named, bad]).write_csv(path)
    return path


@pytest.fixture(scope="module")
def out(log: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the command wrote of the log, and what it printed."""
    folder = tmp_path_factory.mktemp("out")
    command = [sys.executable, "-m", "crmkit", "report", str(log), "--out", str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stderr == ""  # progress is shown on a terminal only
    return folder, run.stdout


def test_a_log_becomes_tables_and_a_report(out: tuple[Path, str]) -> None:
    folder, told = out
    assert "Read 6,922 rows of sales.csv (encoding utf-8, separator ',')." in told
    assert "customer  = Customer ID: '00004'" in told
    assert "date      = Order Date: '01.01.1997', read as 1997-01-01; %d.%m.%Y" in told
    total = f"{load_cdnow(sample=True)['amount'].sum() + 5 + 5:,.2f}"
    assert f"2 rows were set aside, with 5.00 of {total} (0.0%): unparsable " in told
    assert f"1 row has no customer: guests, counted apart, with 5.00 of {total} (0.0%)." in told
    assert "As of 1998-06-30, the last day in it; looking 365 days ahead." in told
    customers = pl.read_parquet(folder / "customers.parquet")
    assert customers.height == 2357
    assert {"<script>alert(1)</script>", "=cmd()"} <= set(customers["customer_id"])
    as_csv = (folder / "customers.csv").read_text()
    assert "'=cmd()" in as_csv
    assert "\n=cmd()" not in as_csv
    set_aside = pl.read_parquet(folder / "tables" / "set_aside.parquet")
    assert set_aside.columns == ["line", "reason", "Customer ID", "Order Date", "Total", "Region"]
    assert dict(set_aside.select("line", "reason").rows()) == {
        6921: "missing customer",
        6922: "unparsable date",
        6923: "unparsable amount",
    }
    page = (folder / "report.html").read_text()
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_columns_that_are_one_for_each_customer_are_kept(out: tuple[Path, str]) -> None:
    customers = pl.read_parquet(out[0] / "customers.parquet")
    region = dict(customers.select("customer_id", "Region").rows())
    assert region["00004"] == "south"
    assert set(region.values()) == {"north", "south"}
    assert "Region" in pl.read_parquet(out[0] / "tables" / "orders.parquet").columns


def test_every_table_is_written_twice_and_every_fit_kept(out: tuple[Path, str]) -> None:
    names = {path.name for path in (out[0] / "tables").iterdir()}
    result = pipeline.run(load_cdnow(sample=True, backend="polars"), as_of=date(1998, 6, 30))
    expected = {*result.frames(), "findings", "set_aside", "columns", "reasons"} - {"customers"}
    twice = {f"{name}.{kind}" for name in expected for kind in ("csv", "parquet")}
    assert names == {*twice, "orders.parquet"}
    for name in ("breakpoints", "purchases", "spend", "stages", "tiers"):
        json.loads((out[0] / "kept" / f"{name}.json").read_text())


def test_a_second_run_removes_what_the_first_wrote_and_nothing_else(
    out: tuple[Path, str], tmp_path: Path
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(out[0], folder)
    (folder / "mine.txt").write_text("keep me")
    (folder / "tables" / "mine.csv").write_text("keep me")
    few = tmp_path / "few.csv"
    few.write_text("customer,date\n" + "".join(f"c{i},2024-01-{1 + i:02d}\n" for i in range(5)))
    assert cli.main(["report", str(few), "--out", str(folder)]) == 0
    assert (folder / "mine.txt").exists()
    assert (folder / "tables" / "mine.csv").exists()
    assert not (folder / "kept" / "purchases.json").exists()
    assert not (folder / "tables" / "tiers.csv").exists()


def test_next_month_is_told_by_the_kept_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = load_cdnow(sample=True, backend="polars").drop("quantity")
    euros = orders.with_columns(amount=pl.concat_str(pl.col("amount"), pl.lit(" €")))
    for name, table in (("may", euros.filter(pl.col("date") < date(1998, 6, 1))), ("june", euros)):
        table.write_csv(tmp_path / f"{name}.csv")
    out, kept = tmp_path / "out", tmp_path / "out" / "kept"
    assert cli.main(["report", str(tmp_path / "may.csv"), "--out", str(out)]) == 0
    assert "Since" not in capsys.readouterr().out
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    june = ["report", str(tmp_path / "june.csv"), "--out", str(out), "--kept", str(kept)]
    assert cli.main(june) == 0
    told = capsys.readouterr().out
    assert "looking 365 days ahead; by values kept as of 1998-05-31." in told
    assert told.count("Note: Since 1998-05-31 the shares of r_score (PSI 0.50) and segment") == 1
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    assert "Since 1998-05-31</h2>" in (out / "report.html").read_text()
    assert pl.read_csv(out / "tables" / "drift.csv")["measure"].n_unique() == 7

    assert cli.main([*june, "--currency", "$"]) == 2
    assert "`kept` was fitted to amounts in €, and these are in $." in capsys.readouterr().err
    (kept / "tiers.json").write_text("{}")
    assert cli.main(june) == 2
    assert (
        f"crmkit: {kept / 'tiers.json'}: TierRule: `names` is missing." in capsys.readouterr().err
    )
    assert (out / "customers.csv").exists()
    assert cli.main([*june[:-1], str(tmp_path / "nowhere")]) == 2
    assert "about.json: this file is missing." in capsys.readouterr().err


def test_hashed_ids_leave_no_name_behind(log: Path, tmp_path: Path) -> None:
    options = ["--out", str(tmp_path), "--hash-ids", "a long secret"]
    assert cli.main(["report", str(log), *options]) == 0
    customers = pl.read_parquet(tmp_path / "customers.parquet")
    assert customers.height == 2357
    assert customers["customer_id"].str.contains("^[0-9a-f]{20}$").all()
    assert "Region" in customers.columns  # many share one
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"alert(1)" not in path.read_bytes(), path.name
    assert pl.read_parquet(tmp_path / "tables" / "set_aside.parquet").columns == ["line", "reason"]


def test_too_much_set_aside_stops_with_the_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    rows = [f"c{i % 9},2024-01-{1 + i % 28:02d},{i}.50" for i in range(90)]
    path.write_text("customer,date,amount\n" + "\n".join([*rows, "c1,2024-01-05,much"] * 2))
    out = tmp_path / "out"
    assert cli.main(["report", str(path), "--out", str(out)]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "Too much of log.csv would be set aside (1.1%; 1.0% is accepted)" in told.err
    assert "  unparsable amount " in told.err
    assert not out.exists()
    assert cli.main(["report", str(path), "--out", str(out), "--accept-loss", "0.05"]) == 0


def test_inspect_looks_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    rows = "".join(f"c{i % 9};{1 + i % 28}.1.2024;{i},50 €\n" for i in range(90))
    path.write_text("Kunde;Datum;Betrag\n" + rows + "c1;1.1.2204;9,00 €\n;1.1.2024;1,00 €\n")
    assert cli.main(["inspect", str(path)]) == 0
    told = capsys.readouterr().out
    first = told.splitlines()[0]
    assert first.startswith("Warning: 1 row with €9.00 has a date in the future (line 92 ('c1')")
    assert "1 row has no customer: guests" in told
    assert "decimal comma, currency €" in told
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.csv"]


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"crmkit {crmkit.__version__}\n"


def test_without_a_file_it_shows_cdnow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "Read 69,659 rows of CDNOW, January 1997 to June 1998" in told
    assert "23,570" in told
    assert f"Wrote {tmp_path / 'report.html'}, " in told


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "log.csv is empty"),
        (b"customer,date,amount\n", "log.csv has "),
        (
            b"customer,date,amount\na,someday,5\nb,2024-01-01,x\nc,never,5\n",
            "No row of log.csv can be used: unparsable date in 2 of 3 rows.",
        ),
        (
            b"customer,date,amount\n" + b"a,2024-01-01,-5\n" * 9,
            "All 9 amounts of `amount` are below zero, as where sales are booked as credit.",
        ),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "log.csv is "),
        (b"\x00" * 2_000_000, "log.csv "),
        (b"who,when,paid\na,2024-01-01,5\n", "No column looks like the customer among "),
        (
            b"customer,date,amount\na,2024-01-01,1.706\nb,2024-01-02,2.500\n",
            "transactions: `amount` may",
        ),
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


def test_no_file_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path / "nothing.csv")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "nothing.csv does not exist" in line


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


def test_progress_is_shown_on_a_terminal(log: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crmkit", "report", str(log), "--out", str(tmp_path)]
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


# What changed


def test_what_changed_is_told_and_said_by_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, out = tmp_path / "may", tmp_path / "june", tmp_path / "events.csv"
    path = tmp_path / "log.csv"
    load_cdnow(sample=True, backend="polars").write_csv(path)
    assert cli.main(["report", str(path), "--as-of", "1998-05-31", "--out", str(before)]) == 0
    kept = ["--kept", str(before / "kept"), "--as-of", "1998-06-30"]
    assert cli.main(["report", str(path), *kept, "--out", str(after)]) == 0
    capsys.readouterr()
    both = ["check", "--before", str(before), "--after", str(after), "--out", str(out)]
    assert cli.main(both) == 4
    told = capsys.readouterr().out
    assert "from 1998-05-31 to 1998-06-30" in told
    found = pl.read_parquet(tmp_path / "events.parquet")
    assert f"{found.height:,} events" in told
    assert pl.read_csv(out).height == found.height
    log = ["check", str(path), "--before", str(before), "--as-of", "1998-06-30"]
    assert cli.main([*log, "--out", str(tmp_path / "again.csv"), "--json"]) == 4
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == found.height
    assert (
        pl.read_parquet(tmp_path / "again.parquet").drop("at_stake").equals(found.drop("at_stake"))
    )
    rules = events.rules(backend="polars").filter(pl.col("event") == "tier up")
    rules.write_csv(tmp_path / "rules.csv")
    assert cli.main([*both, "--rules", str(tmp_path / "rules.csv")]) == 0
    assert set(pl.read_parquet(tmp_path / "events.parquet")["event"]) == {"tier up"}
    same = ["check", "--before", str(before), "--after", str(before), "--out", str(out)]
    assert cli.main(same) == 0
    assert cli.main(["check", "--before", str(tmp_path), "--after", str(after)]) == 2
    assert "has no customers.parquet" in capsys.readouterr().err
    assert cli.main(["check", "--before", str(before)]) == 2


def test_hashed_ids_are_hashed_in_events_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, before, key = tmp_path / "log.csv", tmp_path / "may", "a long enough secret"
    load_cdnow(sample=True, backend="polars").write_csv(path)
    hashed = ["--hash-ids", key]
    may = ["report", str(path), "--as-of", "1998-05-31", "--out", str(before), *hashed]
    assert cli.main(may) == 0
    out = ["--before", str(before), "--out", str(tmp_path / "events.csv")]
    assert cli.main(["check", str(path), *out, *hashed]) == 4
    found = pl.read_parquet(tmp_path / "events.parquet")
    ids = set(pl.read_parquet(before / "customers.parquet")["customer_id"])
    assert set(found["customer_id"]) <= ids
    assert not set(found["event"]) & {"appeared", "vanished"}
    assert cli.main(["check", *out, "--after", str(before), *hashed]) == 2
    assert "--hash-ids goes with a log" in capsys.readouterr().err

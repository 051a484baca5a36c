"""The command `crmkit evaluate`."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from crmkit import cli
from crmkit.datasets import load_cdnow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some customers of CDNOW."""
    path = tmp_path_factory.mktemp("log") / "sales.csv"
    sample = load_cdnow(sample=True, backend="polars").filter(pl.col("customer_id") < "05000")
    sample.write_csv(path)
    return path


def test_it_prints_what_wins_and_writes_tables_and_a_picture(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", str(log), "--origins", "1997-09-30", "1997-12-31"]
    assert cli.main([*arguments, "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "From 1997-09-30, 1997-12-31: 91 days after each were held out." in told
    assert "Who buys nothing (AUC: 0.5 is chance, 1 is perfect)\n  churn risk (crmkit) " in told
    assert "recency" in told
    assert "the plain rule" in told
    assert "- Total money: model with misses " in told
    names = {path.name for path in tmp_path.iterdir()}
    tables = {
        f"evaluation_{table}.{kind}"
        for table in ("rankings", "totals", "summary")
        for kind in ("csv", "parquet")
    }
    assert names == {*tables, "evaluation.png"}
    rankings = pl.read_parquet(tmp_path / "evaluation_rankings.parquet")
    assert rankings["origin"].n_unique() == 2
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_run_leaves_no_table_of_the_first(tmp_path: Path) -> None:
    old = tmp_path / "evaluation_totals.csv"
    old.write_text("of an earlier run")
    few = tmp_path / "few.csv"
    few.write_text("customer,date\n" + "".join(f"c{i},2024-01-{1 + i:02d}\n" for i in range(5)))
    arguments = ["evaluate", str(few), "--horizon-days", "1", "--origins", "2024-01-01"]
    assert cli.main([*arguments, "--out", str(tmp_path)]) == 0
    assert not old.exists()
    assert (tmp_path / "evaluation_rankings.csv").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--horizon-days", "2000"],
            (
                "crmkit: A horizon of 2,000 days leaves no day to forecast from: the log goes from "
                "1997-01-01 to 1998-06-30, which is 545 days. Give a shorter `horizon_days`, a "
                "quarter of the log or less, or a longer log.\n"
            ),
        ),
        (
            ["--origins", "2001-01-01"],
            (
                "crmkit: `origins`: 1 of 1 days (2001-01-01) are outside 1997-01-01 to 1998-03-31: "
                "a day to forecast from needs a log that begins by then and goes on for 91 days. "
                "Give earlier days, or a shorter `horizon_days`.\n"
            ),
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(
    log: Path,
    tmp_path: Path,
    options: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["evaluate", str(log), *options, "--out", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == sentence
    assert not (tmp_path / "new").exists()


def test_a_table_with_one_row_per_customer_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "customers.csv"
    rows = "".join(f"c{i},2024-01-{1 + i:02d},{i + 1},{10 * i + 10}\n" for i in range(9))
    path.write_text("customer_id,last_date,orders,total_amount\n" + rows)
    assert cli.main(["evaluate", str(path), "--out", str(tmp_path)]) == 2
    assert "an evaluation needs the dates of the purchases" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("origins", "message"),
    [
        (["four"], "'four' is neither a number of origins nor a day; write 4, or 1997-12-31"),
        (["4", "1997-12-31"], "give one number, or days"),
    ],
)
def test_origins_are_one_number_or_days(
    origins: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "log.csv", "--origins", *origins])
    assert message in capsys.readouterr().err

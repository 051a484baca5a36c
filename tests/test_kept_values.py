"""Next month: kept values are applied, kept in a folder, and compared with what happened since."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmkit import churn, clv, lifecycle, pipeline, report, rfm, tiers
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError, MissingColumnsError
from crmkit.pipeline import About, Kept
from tests.conftest import rows
from tests.test_pipeline import sample, there

MAY, JUNE = date(1998, 5, 31), date(1998, 6, 30)
MEASURES = ["r_score", "f_score", "m_score", "segment", "stage", "tier"]


def whole_dollars() -> pl.DataFrame:
    """The sample with amounts whose sums are exact, in whatever order an engine adds them."""
    return sample().with_columns(pl.col("amount").round().cast(pl.Float64))


@pytest.fixture(scope="module")
def may() -> pipeline.Result[pl.DataFrame]:
    """The job at the end of May."""
    return pipeline.run(whole_dollars(), as_of=MAY, currency="$")


@pytest.fixture(scope="module")
def june(may: pipeline.Result[pl.DataFrame]) -> pipeline.Result[pl.DataFrame]:
    """The job a month later, by what was kept."""
    return pipeline.run(whole_dollars(), as_of=JUNE, kept=may.kept, currency="$")


@pytest.fixture
def folder(may: pipeline.Result[pl.DataFrame], tmp_path: Path) -> Path:
    """The values of May in a folder."""
    may.kept.save(tmp_path / "kept")
    return tmp_path / "kept"


def about(**others: Any) -> About:
    return About(**{"as_of": MAY, "n_customers": 2357, **others})


# Twin


def test_the_job_by_kept_values_is_its_steps(
    may: pipeline.Result[pl.DataFrame], june: pipeline.Result[pl.DataFrame]
) -> None:
    kept = may.kept
    days = rfm.purchase_days(whole_dollars(), as_of=JUNE)
    customers = lifecycle.rhythm(days, as_of=JUNE)
    customers = rfm.segment(rfm.score(customers, breakpoints=there(kept.breakpoints)))
    customers = clv.predict(
        customers, purchases=there(kept.purchases), spend=kept.spend, horizon_days=365
    )
    customers = tiers.assign(customers, rule=there(kept.tiers))
    customers = lifecycle.assign(customers, rules=there(kept.stages))
    customers = churn.risk(
        customers, purchases=there(kept.purchases), horizon_days=365, calibration=kept.risk
    )
    assert_frame_equal(
        june.customers.select(customers.columns), customers, rel_tol=1e-12, check_row_order=True
    )


def test_the_index_of_each_measure_is_that_of_its_counts(
    may: pipeline.Result[pl.DataFrame], june: pipeline.Result[pl.DataFrame]
) -> None:
    drift = there(june.drift)
    for measure in MEASURES:
        shares = [
            {value: n / 2357 for value, n in result.customers[measure].value_counts().iter_rows()}
            for result in (may, june)
        ]
        index = 0.0
        for value in {*shares[0], *shares[1]}:
            p, q = (each.get(value, 0.5 / 2357) for each in shares)
            index += (q - p) * math.log(q / p)
            (row,) = drift.filter(
                pl.col("measure") == measure, pl.col("group") == str(value)
            ).to_dicts()
            assert row["expected"] == pytest.approx(shares[0].get(value, 0.0))
            assert row["actual"] == pytest.approx(shares[1].get(value, 0.0))
        found = drift.filter(pl.col("measure") == measure)["psi"].unique().to_list()
        assert found == [pytest.approx(index)]


def test_the_risk_of_the_kept_model_is_tested_on_the_days_since(
    may: pipeline.Result[pl.DataFrame], june: pipeline.Result[pl.DataFrame]
) -> None:
    then = clv.no_purchase(may.customers, purchases=there(may.kept.purchases), horizon_days=30)
    bought = whole_dollars().filter(pl.col("date").dt.date().is_between(MAY, JUNE, closed="right"))
    silent = ~then["customer_id"].is_in(bought["customer_id"].unique().to_list())
    of_risk = there(june.drift).filter(pl.col("measure") == "churn_risk")
    n = of_risk["n_customers"]
    assert n.sum() == 2357
    assert (n * of_risk["expected"]).sum() == pytest.approx(then["p_no_purchase"].sum())
    assert (n * of_risk["actual"]).sum() == pytest.approx(silent.sum())


def test_kept_trees_rank_as_they_did(tmp_path: Path) -> None:
    blended = pipeline.run(whole_dollars(), as_of=MAY, currency="$", ranking="blend")
    assert blended.kept.trees is not None
    blended.kept.save(tmp_path)
    again = pipeline.run(
        whole_dollars(), as_of=MAY, currency="$", ranking="blend", kept=Kept.load(tmp_path)
    )
    assert again.kept.trees == blended.kept.trees
    assert_frame_equal(again.customers, blended.customers, rel_tol=1e-12)
    assert "blended_amount" in again.customers.columns


# Properties


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_kept_values_give_the_same_customers_to_the_last_byte(backend: str) -> None:
    orders: Any = whole_dollars().to_pandas() if backend == "pandas" else whole_dollars()
    made = pipeline.run(orders, as_of=MAY, margin=0.4, annual_discount_rate=0.1)
    again = pipeline.run(orders, as_of=MAY, margin=0.4, annual_discount_rate=0.1, kept=made.kept)
    assert again.kept == made.kept
    assert again.left_out == made.left_out
    assert set(again.frames()) - set(made.frames()) == {"drift"}
    if backend == "pandas":
        assert again.customers.to_csv() == made.customers.to_csv()
    else:
        assert again.customers.write_csv() == made.customers.write_csv()
    for name, table in made.frames().items():
        if backend == "pandas":
            assert table.equals(again.frames()[name]), name
        else:  # Polars adds up in another order from run to run
            assert_frame_equal(table, again.frames()[name], rel_tol=1e-12)


@pytest.mark.parametrize(
    ("then", "now"), [("$", "USD"), ("€", "eur"), ("", "EUR"), ("EUR", ""), ("kr", "SEK")]
)
def test_a_currency_may_be_written_in_several_ways(then: str, now: str) -> None:
    totals = rfm.summarize(sample(), as_of=JUNE)
    kept = Kept(about=about(currency=then))
    assert pipeline.run_summary(totals, as_of=JUNE, kept=kept, currency=now).kept.about is not None


def test_on_the_day_itself_nothing_has_moved(may: pipeline.Result[pl.DataFrame]) -> None:
    again = pipeline.run(whole_dollars(), as_of=MAY, kept=may.kept)
    assert there(again.drift)["psi"].unique().to_list() == [0.0]
    assert there(again.drift)["change"].unique().to_list() == ["little"]
    assert again.notes[0] == "Since 1998-05-31 little has moved: the kept values can stay."


def test_who_buys_nothing_keeps_frequency_money_and_tier_by_kept_cuts_only(
    may: pipeline.Result[pl.DataFrame], june: pipeline.Result[pl.DataFrame]
) -> None:
    anew = pipeline.run(whole_dollars(), as_of=JUNE)
    bought = whole_dollars().filter(pl.col("date").dt.date() > MAY)["customer_id"].unique()
    changed = {}
    for name, result in (("kept", june), ("anew", anew)):
        both = may.customers.join(result.customers, on="customer_id", suffix="_now")
        silent = both.filter(~pl.col("customer_id").is_in(bought.to_list()))
        assert silent.height > 2000
        names = ("f_score", "m_score", "tier")
        changed[name] = [(silent[each] != silent[f"{each}_now"]).sum() for each in names]
    assert changed["kept"] == [0, 0, 0]
    assert sum(changed["anew"]) > 300
    # Nobody new came to CDNOW after March 1997, so all grow older: fixed cuts of recency show it.
    assert (
        june.notes[0]
        == "Since 1998-05-31 the shares of r_score (PSI 0.50) and segment (PSI 1.08) have moved "
        "far: fit anew, without the kept values."
    )


def test_what_is_kept_stays_and_what_was_missing_is_added(
    may: pipeline.Result[pl.DataFrame], june: pipeline.Result[pl.DataFrame]
) -> None:
    assert june.kept == may.kept
    some = Kept(breakpoints=may.kept.breakpoints, about=may.kept.about)
    filled = pipeline.run(whole_dollars(), as_of=JUNE, kept=some).kept
    assert filled.breakpoints == may.kept.breakpoints
    assert filled.tiers is not None
    assert filled.tiers != may.kept.tiers
    assert there(filled.about).as_of == MAY


def test_values_put_together_by_hand_are_applied_and_not_compared() -> None:
    mine = rfm.Breakpoints(5, (30, 90, 180, 365), (2, 3, 4, 6), (10, 50, 100, 500))
    result = pipeline.run(sample(), as_of=JUNE, kept=Kept(breakpoints=mine))
    assert result.kept.breakpoints == mine
    assert there(result.kept.about).as_of == JUNE
    assert result.drift is None
    assert not any(note.startswith("Since ") for note in result.notes)
    recent = result.customers.filter(pl.col("days_since_last") < 30)
    assert set(recent["r_score"]) == {5}


def test_a_kept_model_forecasts_for_fewer_customers_than_a_fit_needs(
    may: pipeline.Result[pl.DataFrame],
) -> None:
    few = whole_dollars().filter(pl.col("customer_id").is_in(["00004", "00021", "00018"]))
    result = pipeline.run(few, as_of=JUNE, kept=may.kept)
    whole = pipeline.run(whole_dollars(), as_of=JUNE, kept=may.kept)
    same = ["customer_id", "rfm_code", "segment", "tier", "stage", "p_alive", "clv", "churn_risk"]
    three = whole.customers.filter(pl.col("customer_id").is_in(["00004", "00021", "00018"]))
    assert_frame_equal(result.customers.select(same), three.select(same), rel_tol=1e-9)
    assert not any("at least 20 customers, and this" in each for each in result.left_out)
    report.render(result)


def test_one_row_per_customer_is_scored_by_kept_cuts_too(
    may: pipeline.Result[pl.DataFrame], june: pipeline.Result[pl.DataFrame]
) -> None:
    totals = rfm.summarize(whole_dollars(), as_of=JUNE)
    result = pipeline.run_summary(totals, as_of=JUNE, kept=may.kept)
    same = ["customer_id", "rfm_code", "segment", "tier"]
    assert_frame_equal(result.customers.select(same), june.customers.select(same))
    assert result.kept == may.kept
    assert set(there(result.drift)["measure"]) == {*MEASURES} - {"stage"}


def test_a_change_of_chance_is_little() -> None:
    then = about(counts={"tier": {"gold": 8, "silver": 12}})
    totals = pl.DataFrame(
        {
            "customer_id": [f"c{i:02}" for i in range(20)],
            "days_since_last": list(range(20)),
            "orders": [1 + i % 4 for i in range(20)],
            "total_amount": [5.0 + i for i in range(20)],
        }
    )
    rule = tiers.rule(totals, method="thresholds", cuts=(12.5,), names=("gold", "silver"))
    result = pipeline.run_summary(totals, as_of=JUNE, kept=Kept(tiers=rule, about=then))
    drift = there(result.drift)
    # .4 and .6 became .6 and .4: PSI .2 ln(1.5) + .2 ln(1.5), and 20 customers move more by chance.
    assert drift["actual"].to_list() == [0.6, 0.4]
    assert drift["psi"].to_list() == [pytest.approx(0.4 * math.log(1.5))] * 2
    assert drift["change"].to_list() == ["little", "little"]


# What cannot be applied


def test_without_amounts_the_cuts_of_recency_and_frequency_are_applied(
    may: pipeline.Result[pl.DataFrame], june: pipeline.Result[pl.DataFrame]
) -> None:
    result = pipeline.run(whole_dollars().drop("amount"), as_of=JUNE, kept=may.kept)
    same = ["customer_id", "r_score", "f_score", "segment", "stage", "churn_risk"]
    assert_frame_equal(result.customers.select(same), june.customers.select(same))
    assert (
        "Kept cut points of amounts, spend model and tiers: the amounts are now unknown; recency "
        "and frequency are scored by the kept cut points."
    ) in result.left_out
    assert result.kept == may.kept  # and can be applied again once amounts are known
    report.render(result)


def test_cuts_without_amounts_score_none() -> None:
    kept = pipeline.run(sample().drop("amount"), as_of=MAY).kept
    result = pipeline.run(sample(), as_of=JUNE, kept=kept)
    assert "m_score" not in result.customers.columns
    assert result.left_out[0] == (
        "m_score and RFM code: the kept cut points have none of amounts, which were unknown when "
        "they were fitted."
    )
    assert {"tier", "clv", "segment"} <= set(result.customers.columns)
    report.render(result)


def test_a_calibration_for_another_horizon_is_learned_anew(
    may: pipeline.Result[pl.DataFrame],
) -> None:
    result = pipeline.run(whole_dollars(), as_of=JUNE, horizon_days=60, kept=may.kept)
    assert result.left_out[0] == (
        "Kept calibration of churn risk: it was learned from 258 days, which say little of a "
        "horizon of 60; it was learned anew."
    )
    assert result.customers["churn_risk"].null_count() == 0


def test_nobody_has_bought_and_what_is_kept_stays(may: pipeline.Result[pl.DataFrame]) -> None:
    people = pl.DataFrame({"customer_id": ["pia"]})
    result = pipeline.run(sample().head(0), as_of=JUNE, prospects=people, kept=may.kept)
    assert result.kept == may.kept
    assert result.drift is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda kept: replace(kept, about=about(as_of=date(1998, 7, 1))),
            (
                "`kept` was fitted as of 1998-07-01, after `as_of` 1998-06-30, and would know what "
                "was still to come.\nGive values of that day or before, or a later `as_of`."
            ),
        ),
        (
            lambda kept: replace(kept, about=about(currency="EUR")),
            (
                "`kept` was fitted to amounts in EUR, and these are in $.\nConvert the amounts, or "
                "fit anew without `kept`. If both are the same, write currency='EUR'."
            ),
        ),
        (
            lambda kept: kept.breakpoints,
            "`kept` must be a Kept, got a Breakpoints.\nMake one with crmkit.pipeline.Kept.load().",
        ),
        (
            lambda _: "out/kept",
            "`kept` must be a Kept, got 'out/kept'.\nMake one with crmkit.pipeline.Kept.load().",
        ),
    ],
)
def test_values_of_another_log_are_refused(
    may: pipeline.Result[pl.DataFrame], change: Callable[[Kept], Any], message: str
) -> None:
    totals = rfm.summarize(sample(), as_of=JUNE)
    calls: tuple[Callable[..., Any], ...] = (
        lambda **kept: pipeline.run(sample(), as_of=JUNE, **kept),
        lambda **kept: pipeline.run_summary(totals, as_of=JUNE, **kept),
    )
    for call in calls:
        with pytest.raises(InvalidArgumentError) as caught:
            call(kept=change(may.kept), currency="$")
        assert str(caught.value) == message


def test_values_fitted_on_columns_that_are_gone_are_refused(
    may: pipeline.Result[pl.DataFrame],
) -> None:
    customers = may.customers.with_columns(channel=pl.col("customer_id").str.slice(0, 1))
    fit = clv.fit(customers, model="pareto_nbd", covariates=["channel"])
    with pytest.raises(MissingColumnsError) as caught:
        pipeline.run(sample(), as_of=JUNE, kept=Kept(purchases=fit))
    assert str(caught.value) == (
        "customer summary: no column `channel`, which `kept.purchases` was fitted on.\n"
        "Name it in `keep`, or fit anew."
    )
    rule = tiers.rule(
        customers.with_columns(visits=pl.col("orders") * 1.0),
        method="customer_share",
        cuts=(0.05, 0.2),
        by="visits",
    )
    with pytest.raises(MissingColumnsError) as caught:
        pipeline.run(sample(), as_of=JUNE, kept=Kept(tiers=rule))
    assert str(caught.value) == (
        "customer summary: no column `visits`, which `kept.tiers` was fitted on.\n"
        "Fit the tiers anew: leave out kept.tiers."
    )


def test_each_field_takes_its_own_kind(may: pipeline.Result[pl.DataFrame]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Kept(stages=may.kept.tiers)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "`stages` must be a StageRules, got a TierRule.\n"
        "Make one with crmkit.lifecycle.fit_rules()."
    )
    with pytest.raises(InvalidArgumentError) as caught:
        Kept(purchases=may.kept.spend)
    assert str(caught.value).startswith("`purchases` is a fit of gamma_gamma.\nFit one of ")


# The folder


def test_what_is_saved_is_loaded(may: pipeline.Result[pl.DataFrame], folder: Path) -> None:
    assert Kept.load(folder) == may.kept
    names = {"breakpoints", "purchases", "spend", "stages", "tiers", "risk", "about"}
    assert {path.name for path in folder.iterdir()} == {f"{name}.json" for name in names}
    written = json.loads((folder / "about.json").read_text())
    assert (written["as_of"], written["n_customers"]) == ("1998-05-31", 2357)
    assert written["currency"] == "$"
    assert written["counts"]["tier"] == dict(may.customers["tier"].value_counts().iter_rows())


def test_to_save_what_was_loaded_changes_no_byte(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    Kept.load(folder).save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_values_of_nobody_knows_when_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Kept().save(tmp_path / "kept")
    assert str(caught.value) == (
        "Kept: `about` is missing, so nobody could tell next month what the values are of.\n"
        "Give about=crmkit.pipeline.About(as_of=...)."
    )
    assert not (tmp_path / "kept").exists()


def edited(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        fields = json.loads((folder / name).read_text())
        change(fields)
        (folder / name).write_text(json.dumps(fields))

    return edit


_ANEW = "\nFit anew, or give the folder as Kept.save() wrote it."


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "/about.json: this file is missing." + _ANEW),
        (
            lambda folder: (folder / "stages.json").unlink(),
            "/stages.json: this file is missing." + _ANEW,
        ),
        (
            lambda folder: (folder / "tiers.json").write_text("gold"),
            (
                "/tiers.json: TierRule: this is not JSON text, got 'gold'.\n"
                "Give the text that to_json() wrote."
            ),
        ),
        (
            lambda folder: (folder / "tiers.json").write_bytes(b"\xff\xfe"),
            "/tiers.json: this is not JSON text." + _ANEW,
        ),
        (
            edited("tiers.json", lambda fields: fields.update(cuts=[1000.0, 1.0])),
            "/tiers.json: this is not the file that about.json was written with." + _ANEW,
        ),
        (
            edited("risk.json", lambda fields: fields.update(format=2)),
            (
                "/risk.json: RiskCalibration: this text has format 2, this crmkit reads up to 1.\n"
                "Update crmkit, or make the value anew with this version."
            ),
        ),
        (
            edited("risk.json", lambda fields: fields.update(season="winter")),
            (
                "/risk.json: RiskCalibration: `season` is unknown.\n"
                "Give the text that to_json() wrote."
            ),
        ),
        (
            lambda folder: shutil.copy(folder / "risk.json", folder / "stages.json"),
            (
                "/stages.json: StageRules: this text holds a RiskCalibration.\n"
                "Read it with RiskCalibration.from_json()."
            ),
        ),
        (
            edited("about.json", lambda fields: fields.update(as_of="May")),
            (
                "/about.json: Kept: `as_of` must be a date in ISO text, got 'May'.\n"
                "Give the text that to_json() wrote."
            ),
        ),
        (
            edited("about.json", lambda fields: fields.pop("currency")),
            "/about.json: Kept: `currency` is missing.\nGive the text that to_json() wrote.",
        ),
        (
            edited("about.json", lambda fields: fields["files"].update({"../x": "0"})),
            "/about.json: Kept: `files.../x` is unknown.\nGive the text that to_json() wrote.",
        ),
        (
            edited("about.json", lambda fields: fields.update(format=9)),
            (
                "/about.json: Kept: this text has format 9, this crmkit reads up to 1.\n"
                "Update crmkit, or make the value anew with this version."
            ),
        ),
    ],
)
def test_a_damaged_folder_is_refused_with_the_name_of_the_file(
    folder: Path, damage: Callable[[Path], Any], message: str
) -> None:
    damage(folder)
    with pytest.raises(InvalidArgumentError) as caught:
        Kept.load(folder)
    assert str(caught.value) == f"{folder}{message}"


@pytest.mark.parametrize("bad", [None, 3, "", b"kept", pd.NA, ["kept"]])
def test_a_folder_is_a_path(bad: Any) -> None:
    for call in (Kept.load, Kept(about=about()).save):
        with pytest.raises(InvalidArgumentError, match=r"^`folder` must be a path, got "):
            call(bad)


@pytest.mark.parametrize("bad", [None, 3, b"$", ["$"]])
def test_a_currency_is_text(bad: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^`currency` must be text, got "):
        pipeline.run(sample(), as_of=JUNE, currency=bad)


# The report


def test_the_report_says_what_has_moved_only_where_values_were_kept(
    may: pipeline.Result[pl.DataFrame], june: pipeline.Result[pl.DataFrame]
) -> None:
    page = report.render(june)
    assert "Since 1998-05-31</h2>" in page
    assert "tables/drift.csv" in page
    assert "No purchase in the 30 days since: said by the kept model, and happened" in page
    assert 'id="drift"' not in report.render(may)


def test_the_example_log_has_no_currency() -> None:
    assert there(pipeline.run(load_cdnow(sample=True), as_of=MAY).kept.about).currency == ""


def test_parameters_of_the_job_are_those_of_their_function(
    june: pipeline.Result[pl.DataFrame],
) -> None:
    fits = [there(june.kept.purchases), there(june.kept.spend)]
    assert rows(june.models) == rows(clv.parameters(fits, backend="polars"))

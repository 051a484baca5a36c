"""The main job on data that do not allow all of it, on one row per customer, and with contacts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmkit import clv, pipeline, rfm
from crmkit._pipeline.carried import MADE
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MakeFrame, rows
from tests.test_pipeline import AS_OF, figure, ledger, sample, there

DAY = date(2024, 12, 31)


@pytest.fixture(scope="module")
def result() -> pipeline.Result[pl.DataFrame]:
    """The job on the sample."""
    return pipeline.run(sample(), as_of=AS_OF)


def figures(result: pipeline.Result[Any]) -> dict[str, float | None]:
    return {row["figure"]: row["value"] for row in rows(result.key_figures)}


# Partial results

MONEY = {
    *("total_amount", "monetary_value", "amount_recent", "amount_before"),
    *("m_score", "rfm_code", "rfm_sum"),
    *("tier", "abc_class", "abc_rank", "value_share", "cumulative_share"),
    *("expected_spend", "clv", "value_at_risk"),
}
NO_MODEL = "Expected purchases, expected value and churn risk: "
NO_STAGES = (
    "Life-cycle stages and recommended actions: nobody has bought on a second day yet, so the "
    "usual gap between purchases is unknown."
)


def uncalibrated(orders: pl.DataFrame, split: date | None) -> str:
    """Say why the risk of few customers is not calibrated, by their count."""
    early = set(orders.filter(pl.col("date").cast(pl.Date) <= split)["customer_id"])
    late = set(orders.filter(pl.col("date").cast(pl.Date) > split)["customer_id"])
    return (
        f"Calibration of churn risk: {len(early & late)} of {len(early)} customers bought in the "
        "holdout period; at least 50 must have bought, and as many not."
    )


def buyers(n: int, *, days: int = 3, amount: float | None = None) -> pl.DataFrame:
    """Let n customers buy on some days of a year, each at a rhythm of their own."""
    bought = [(i, j) for i in range(n) for j in range(days)]
    return pl.DataFrame(
        {
            "customer_id": [f"c{i:03}" for i, _ in bought],
            "date": [
                date(2024, 1, 1) + timedelta((i * 37 + j * (9 + i * 13 % 90)) % 350)
                for i, j in bought
            ],
            "amount": [5.0 + (i * 7 + j * 3) % 90 if amount is None else amount for i, j in bought],
        }
    )


def made(result: pipeline.Result[Any]) -> set[str]:
    """Name the tables that were made, beside those that always are."""
    return set(result.frames()) - {"customers", "key_figures", "call_list", "trend", "comparison"}


COHORTS = {"cohorts", "retention", "retention_by_month"}
BY_VALUE = {"segments", "tiers", "concentration"}
STAGES = {"stages", "actions"}
RETURNS = {"stage_returns"}
TOO_FEW = (
    "How many customers of each stage come back: counting needs at least 20 customers, so the "
    "limits of the stages are rules of thumb."
)


def test_without_amounts_all_but_money_is_told(make_frame: MakeFrame) -> None:
    orders = sample().filter(pl.col("date") <= date(1998, 6, 30)).drop("amount", "quantity")
    few = orders.filter(pl.col("customer_id") < "03000")
    result = pipeline.run(make_frame(few.to_dict(as_series=False)), as_of=AS_OF)
    assert (
        made(result)
        == {"segments", "models", "calibration", "reliability"} | STAGES | RETURNS | COHORTS
    )
    for name, table in result.frames().items():
        columns = set(nw.from_native(table).collect_schema().names())
        assert MONEY.isdisjoint(columns), name
    customers = pl.DataFrame(rows(result.customers))
    known = ("segment", "stage", "p_alive", "expected_purchases", "churn_risk", "action")
    assert [customers[name].null_count() for name in known] == [0] * len(known)
    assert not any("brought" in reason for reason in customers["action_reason"])
    assert figures(result).keys() == {
        *("customers", "orders", "repeat rate", "expected purchases", "customers running late"),
        *("forecast error", "risk error"),
    }
    assert result.left_out == (
        (
            "Revenue, expected value, tiers and concentration: the amounts are unknown; where "
            "there are segments, they are by recency and frequency."
        ),
        "Comparison of the forecast with baselines: it needs the amounts of repeat purchases.",
    )


def test_without_amounts_purchases_are_forecast_as_with_them() -> None:
    with_money = pipeline.run(sample(), as_of=AS_OF)
    without = pipeline.run(sample().drop("amount"), as_of=AS_OF)
    same = ["customer_id", "r_score", "f_score", "p_alive", "expected_purchases", "churn_risk"]
    assert_frame_equal(without.customers.select(same), with_money.customers.select(same))
    assert figure(without, "forecast error") == pytest.approx(figure(with_money, "forecast error"))
    late = without.customers.filter(pl.col("stage").is_in(["at risk", "lapsing"]))
    calls = there(without.call_list)
    assert calls.height == min(100, late.height)
    most = late.sort("expected_purchases", "customer_id", descending=[True, False])
    assert calls["customer_id"].to_list() == most["customer_id"].head(100).to_list()


@pytest.mark.full_for("polars", "pyarrow", "duckdb")
def test_without_repeat_buyers_customers_are_told_apart_by_past_value(
    make_frame: MakeFrame,
) -> None:
    once = buyers(40, days=1)
    result = pipeline.run(make_frame(once.to_dict(as_series=False)), as_of=DAY)
    assert made(result) == BY_VALUE | COHORTS
    assert len(rows(result.customers)) == 40
    assert result.left_out == (
        NO_MODEL + "nobody has bought on a second day yet, and a model learns from customers who "
        "come back.",
        NO_STAGES,
    )
    assert result.notes
    assert figures(result).keys() == {
        *("customers", "orders", "revenue", "average order", "repeat rate"),
        "share of the best fifth",
    }
    away = [row for row in rows(result.customers) if row["segment"].endswith("least recent")]
    ranked = sorted(away, key=lambda row: (-row["total_amount"], row["customer_id"]))
    calls = [row["customer_id"] for row in rows(result.call_list)]
    assert calls
    assert calls == [row["customer_id"] for row in ranked]


@pytest.mark.parametrize("n", [19, 20, 21])
def test_twenty_customers_make_a_model(n: int) -> None:
    result = pipeline.run(buyers(n), as_of=DAY)
    always = BY_VALUE | COHORTS | STAGES
    if n < 20:
        assert made(result) == always
        assert result.left_out == (
            f"{NO_MODEL}a model needs at least 20 customers, and this table has {n}.",
            TOO_FEW,
        )
    else:
        assert made(result) == always | RETURNS | {
            "models",
            "backtest",
            "calibration",
            "reliability",
        }
        assert result.left_out == (uncalibrated(buyers(n), result.settings.split),)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_fewer_than_five_customers_are_listed_and_not_compared(n: int) -> None:
    result = pipeline.run(buyers(n), as_of=DAY)
    assert made(result) == COHORTS | STAGES
    assert figures(result).keys() >= {"customers", "orders", "revenue"}
    assert result.left_out == (
        (
            "RFM scores, segments, tiers and concentration: they compare customers with one "
            f"another, which takes at least 5, and this table has {n}."
        ),
        f"{NO_MODEL}a model needs at least 20 customers, and this table has {n}.",
        TOO_FEW,
    )


def test_nobody_stands_out_where_all_brought_the_same() -> None:
    result = pipeline.run(buyers(40, amount=10.0), as_of=DAY)
    assert result.left_out == (
        "Tiers and ABC classes: every customer brought the same amount.",
        uncalibrated(buyers(40), result.settings.split),
    )
    assert made(result) >= {"concentration", "actions", "backtest"}
    assert "tier" not in result.customers.columns
    assert figure(result, "share of the best fifth") == pytest.approx(0.2)


def test_amounts_of_zero_are_money_without_shares_and_without_a_forecast() -> None:
    result = pipeline.run(buyers(40, amount=0.0), as_of=DAY)
    assert (
        made(result)
        == {"segments", "models", "calibration", "reliability"} | COHORTS | STAGES | RETURNS
    )
    assert figure(result, "revenue") == 0
    assert result.left_out == (
        (
            "Expected value: customer summary: no repeat purchase with positive "
            "spend in any row. First purchases do not identify the spend per purchase day."
        ),
        (
            "Tiers, ABC classes and concentration: the money of all customers adds up to 0.00, and "
            "shares need a total above 0."
        ),
        uncalibrated(buyers(40), result.settings.split),
        "Comparison of the forecast with baselines: it needs the amounts of repeat purchases.",
    )


def test_one_day_is_enough_for_a_result() -> None:
    day = buyers(30, days=1).with_columns(date=pl.lit(date(2024, 1, 1)))
    for as_of in (date(2024, 1, 1), DAY):
        result = pipeline.run(day, as_of=as_of)
        assert made(result) == BY_VALUE | COHORTS
        assert figure(result, "revenue") == day["amount"].sum()


def test_returns_alone_make_no_customer_and_no_error() -> None:
    result = pipeline.run(buyers(3, amount=-5.0), as_of=DAY)
    assert set(result.frames()) == {"customers", "key_figures"}
    assert figures(result) == {"customers": 0, "orders": 0, "revenue": 0}
    assert result.left_out == (
        f"All but the list of people: nobody has bought by {DAY}; returns alone make no customer.",
    )


def test_prospects_alone_are_a_list_of_people(make_frame: MakeFrame) -> None:
    nothing = make_frame(ledger().to_dict(as_series=False))
    people = make_frame({"customer_id": ["pia", "pit"]})
    result = pipeline.run(nothing, as_of=date(2020, 1, 1), prospects=people)
    assert [row["customer_id"] for row in rows(result.customers, by="customer_id")] == [
        "pia",
        "pit",
    ]
    assert figure(result, "prospects") == 2
    assert result.left_out == ("All but the list of people: nobody has bought by 2020-01-01.",)


def test_a_fit_that_the_search_did_not_finish_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = clv.fit
    stopped = "The search stopped before it reached a maximum; do not trust the estimates."

    def unfinished(customers: Any, *, model: str) -> clv.Fit:
        found = fit(customers, model=model)
        likelihood: Any = found.likelihood
        return replace(found, likelihood=replace(likelihood, diagnostics=(stopped,)))

    monkeypatch.setattr(clv, "fit", unfinished)
    result = pipeline.run(buyers(40), as_of=DAY)
    assert made(result) == BY_VALUE | COHORTS | STAGES | RETURNS
    assert result.left_out == (NO_MODEL + stopped,)


def test_an_unknown_value_is_counted_and_not_summed_as_zero() -> None:
    # The amounts of those who came back fall as a power of their rank: the mean is infinite.
    rank = 1 + pl.col("customer_id").str.slice(1).cast(pl.Float64)
    amount = (30 / rank) ** 2 * (1 + pl.col("amount") / 500)
    repeat = buyers(30, days=4).with_columns(amount=amount)
    once = buyers(70, days=1).with_columns(customer_id="x" + pl.col("customer_id"))
    result = pipeline.run(pl.concat([repeat, once]), as_of=DAY)
    clv_of = result.customers["clv"]
    n_unknown = clv_of.null_count()
    assert n_unknown > 0
    (row,) = result.key_figures.filter(pl.col("figure") == "expected value").to_dicts()
    assert row["value"] == pytest.approx(clv_of.sum())
    assert row["n_unknown"] == n_unknown
    backtest = there(result.backtest).row(0, named=True)
    assert backtest["predicted_amount"] is backtest["top_tenth_share"] is None
    assert row["meaning"].endswith(f"; unknown for {n_unknown} of 100 customers")


# One row per customer


def totals() -> pl.DataFrame:
    """Sum up the sample, as a system would have it."""
    columns = ["customer_id", "last_date", "days_since_last", "orders", "total_amount"]
    return rfm.summarize(sample(), as_of=AS_OF).select(columns)


def test_one_row_per_customer_gives_the_same_segments_and_tiers(
    result: pipeline.Result[pl.DataFrame],
) -> None:
    found = pipeline.run_summary(totals(), as_of=AS_OF)
    assert made(found) == BY_VALUE
    scores = ["r_score", "f_score", "m_score", "rfm_code", "rfm_sum", "segment"]
    same = ["customer_id", *scores, "tier", "abc_class", "cumulative_share"]
    assert_frame_equal(found.customers.select(same), result.customers.select(same))
    for name in BY_VALUE:
        assert_frame_equal(found.frames()[name], result.frames()[name])
    for name in ("customers", "orders", "revenue", "average order", "share of the best fifth"):
        assert figure(found, name) == pytest.approx(figure(result, name))
    assert found.kept.breakpoints is not None
    assert found.kept.tiers is not None
    assert result.kept.tiers is not None
    assert found.kept.tiers.cuts == pytest.approx(result.kept.tiers.cuts)  # sums in another order
    assert found.left_out == (
        (
            "Forecast, churn risk, life-cycle stages, recommended actions, cohorts and retention: "
            "the table has one row per customer, and a forecast needs the dates of the purchases."
        ),
    )


def test_days_are_counted_from_the_last_date(make_frame: MakeFrame) -> None:
    few = totals().head(30)
    dated = make_frame(few.drop("days_since_last").to_dict(as_series=False))
    found = pipeline.run_summary(dated, as_of=AS_OF)
    days = {row["customer_id"]: row["days_since_last"] for row in rows(found.customers)}
    assert days == dict(few.select("customer_id", "days_since_last").iter_rows())


def test_one_row_per_customer_keeps_columns_and_prospects(make_frame: MakeFrame) -> None:
    few = totals().head(30).with_columns(phone=pl.int_range(30) + 700, other=pl.lit("x"))
    pia = {"customer_id": ["pia"], "phone": [1]}
    table = pl.concat([few, pl.DataFrame(pia)], how="diagonal_relaxed")
    found = pipeline.run_summary(
        make_frame(table.to_dict(as_series=False)), as_of=AS_OF, keep=["phone"]
    )
    names = nw.from_native(found.customers).collect_schema().names()
    assert names[:3] == ["customer_id", "phone", "last_date"]
    assert "other" not in names
    (row,) = [row for row in rows(found.customers) if row["customer_id"] == "pia"]
    assert (row["phone"], row["segment"], row["tier"]) == (1, None, None)
    assert figure(found, "prospects") == 1
    assert figure(found, "customers") == 30
    assert nw.from_native(there(found.call_list)).collect_schema().names()[:2] == [
        "customer_id",
        "phone",
    ]


@pytest.mark.parametrize(
    ("dropped", "tables", "first"),
    [
        ("orders", {"tiers", "concentration"}, "RFM scores and segments: the table does not have"),
        ("total_amount", {"segments"}, "Revenue, expected value, tiers and concentration: the amo"),
    ],
)
def test_one_row_per_customer_says_what_a_missing_column_costs(
    dropped: str, tables: set[str], first: str
) -> None:
    found = pipeline.run_summary(totals().drop(dropped), as_of=AS_OF)
    assert made(found) == tables
    assert found.left_out[0].startswith(first)


def test_an_unknown_amount_is_in_no_sum(make_frame: MakeFrame) -> None:
    few = totals().head(30)
    hidden = pl.col("customer_id").is_in(few["customer_id"].head(2).to_list())
    amount = pl.when(~hidden).then("total_amount")
    table = few.with_columns(total_amount=amount)
    found = pipeline.run_summary(make_frame(table.to_dict(as_series=False)), as_of=AS_OF)
    (revenue,) = [row for row in rows(found.key_figures) if row["figure"] == "revenue"]
    assert revenue["value"] == pytest.approx(few["total_amount"][2:].sum())
    assert revenue["n_unknown"] == 2
    assert revenue["meaning"] == "of all orders less returns; unknown for 2 of 30 customers"
    n_orders = int(few["orders"][2:].sum())
    assert figure(found, "average order") * n_orders == pytest.approx(revenue["value"])
    (unknown,) = [row for row in rows(found.segments) if row["segment"] is None]
    assert (unknown["n_customers"], unknown["total_amount"], unknown["amount_share"]) == (
        2,
        None,
        None,
    )


# Columns to keep


def contacts() -> pl.DataFrame:
    """Let two customers move house, one of them without saying when, among 30 others."""
    odd = pl.DataFrame(
        {
            "customer_id": ["ann", "ann", "ann", "ben", "ben"],
            "date": [date(2024, 1, 1), date(2024, 5, 1), date(2024, 9, 1), DAY, DAY],
            "amount": [1.0] * 5,
            "town": ["Bonn", "Rome", None, "Kiel", "Lyon"],
            "code": [1, 2, 3, 5, 4],
            "since": [date(2020, 1, 1)] * 5,
        }
    )
    others = buyers(30).with_columns(
        town=pl.lit("Oslo"), code=pl.lit(7, pl.Int64), since=pl.lit(date(2021, 1, 1))
    )
    return pl.concat([odd, others])


def test_the_last_known_value_of_a_kept_column_stands_beside_the_customer(
    make_frame: MakeFrame,
) -> None:
    orders = contacts().sample(fraction=1, shuffle=True, seed=1)
    keep = ["town", "code", "since"]
    table = make_frame(orders.to_dict(as_series=False))
    result = pipeline.run(table, as_of=DAY, keep=keep)
    assert type(result.customers) is type(table)
    for each in (result.customers, there(result.call_list)):
        assert nw.from_native(each).collect_schema().names()[:4] == ["customer_id", *keep]
    found = {
        row["customer_id"]: tuple(row[name] for name in keep) for row in rows(result.customers)
    }
    assert found["ann"] == ("Rome", 3, date(2020, 1, 1))  # each column's own last known value
    assert found["ben"] == ("Lyon", 5, date(2020, 1, 1))  # two on one day: the last in order
    assert found["c000"] == ("Oslo", 7, date(2021, 1, 1))
    assert nw.from_native(result.customers).collect_schema()["code"].is_integer()


def test_kept_columns_change_nothing_else_and_the_future_is_not_seen() -> None:
    as_of = date(2024, 6, 1)
    plain, kept = (pipeline.run(contacts(), as_of=as_of, keep=keep) for keep in ((), ["town"]))
    assert_frame_equal(kept.customers.drop("town"), plain.customers)
    for name in set(plain.frames()) - {"customers", "call_list"}:
        assert_frame_equal(kept.frames()[name], plain.frames()[name])
    ann = kept.customers.filter(pl.col("customer_id") == "ann")
    assert ann["town"].to_list() == ["Rome"]


@pytest.mark.full_for("polars", "pyarrow", "duckdb")
def test_prospects_bring_their_own_contacts(make_frame: MakeFrame) -> None:
    people = make_frame({"customer_id": ["ann", "pia"], "town": ["Nice", "Pisa"]})
    orders = make_frame(contacts().to_dict(as_series=False))
    result = pipeline.run(orders, as_of=DAY, keep=["town", "code"], prospects=people)
    found = {row["customer_id"]: (row["town"], row["code"]) for row in rows(result.customers)}
    assert (found["ann"], found["pia"]) == (("Rome", 3), ("Pisa", None))


def test_the_names_that_the_job_makes_are_those_of_its_customers(
    result: pipeline.Result[pl.DataFrame],
) -> None:
    assert set(MADE) == set(result.customers.columns)


# Refusals


KEEP_REFUSED = {
    "made": (
        ["town", "stage"],
        (
            "`keep` names `stage`, which the job makes itself.\n"
            "Rename the column of your table, or leave it out."
        ),
    ),
    "twice": (
        ["town", "town"],
        "`keep` must name each column once, got ['town', 'town'].\nLeave out the others.",
    ),
    "a text": (
        "town",
        '`keep` must be a list, got \'town\'.\nWrite ("name", "email").',
    ),
}


@pytest.mark.parametrize(("keep", "message"), KEEP_REFUSED.values(), ids=KEEP_REFUSED)
def test_columns_that_cannot_be_kept_are_refused(keep: Any, message: str) -> None:
    for call in (pipeline.run, pipeline.run_summary):
        with pytest.raises(InvalidArgumentError) as caught:
            call(contacts(), as_of=DAY, keep=keep)
        assert str(caught.value) == message


def test_a_kept_column_must_be_there() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        pipeline.run(ledger(), as_of=DAY, keep=["phone"])
    assert str(caught.value) == (
        "transactions: no column `phone` among `customer_id`, `date`, `amount`.\n"
        "Add `phone` to the table, or name another column."
    )


@pytest.mark.parametrize(
    ("option", "value"), [("margin", 30), ("horizon_days", 0), ("annual_discount_rate", -1)]
)
def test_a_number_out_of_range_is_refused_also_where_nothing_is_forecast(
    option: str, value: float
) -> None:
    given: dict[str, Any] = {option: value}
    with pytest.raises(InvalidArgumentError, match=f"`{option}` must be"):
        pipeline.run(ledger(), as_of=DAY, **given)


def test_a_customer_with_two_rows_is_refused(make_frame: MakeFrame) -> None:
    twice = pl.concat([totals().head(3), totals().head(1)])
    with pytest.raises(InvalidRowsError) as caught:
        pipeline.run_summary(make_frame(twice.to_dict(as_series=False)), as_of=AS_OF)
    assert str(caught.value).startswith(
        "customer totals: `customer_id` is repeated in 2 of 4 rows (customer_id '00004').\n"
        "One row is one customer: sum up or drop the others."
    )


def test_a_last_date_after_the_day_is_refused(make_frame: MakeFrame) -> None:
    table = make_frame(totals().drop("days_since_last").head(3).to_dict(as_series=False))
    with pytest.raises(InvalidRowsError) as caught:
        pipeline.run_summary(table, as_of=date(1997, 1, 10))
    assert str(caught.value) == (
        "customer totals: `last_date` is after as_of (1997-01-10) in 2 of 3 rows (customer_id "
        "'00004', '00021').\nGive a later `as_of`, or mend these dates."
    )


def test_without_recency_one_row_per_customer_is_refused() -> None:
    table = totals().drop("days_since_last", "last_date")
    with pytest.raises(MissingColumnsError) as caught:
        pipeline.run_summary(table, as_of=AS_OF)
    assert str(caught.value) == (
        "customer totals: no column `days_since_last` and no column `last_date`.\n"
        "Give one of them: how recently a customer bought is the R of RFM."
    )

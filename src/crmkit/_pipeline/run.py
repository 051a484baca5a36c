"""The main job, one step after another."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import actions, churn, clv, cohorts, lifecycle, rfm, tiers
from crmkit._door import frames, time
from crmkit._pipeline.key_figures import key_figures, parameters
from crmkit._pipeline.result import Kept, Result, Settings
from crmkit.errors import CrmkitWarning, FitError, InvalidArgumentError
from crmkit.tables import LEDGER, SUMMARY

_MODEL: Final = "bg_nbd"
_WITH_MONEY: Final = LEDGER.only("customer_id", "date", "amount")

Step = Callable[[str], None]


def run(
    orders: IntoFrameT,
    *,
    as_of: date,
    split: date | None = None,
    horizon_days: float = 365,
    margin: float = 1.0,
    annual_discount_rate: float = 0.0,
    prospects: IntoFrameT | None = None,
    tier_shares: tuple[float, float] = (0.05, 0.20),
    plan: IntoFrame | None = None,
    on_step: Step | None = None,
) -> Result[IntoFrameT]:
    """Run the main job: segments, value, stages, risk and actions, from a ledger.

    Every table comes from the public functions of crmkit with their defaults, in the order of
    this function; where yours should differ, call them yourself. The models assume that the
    weeks to come are like those observed: no season, no trend.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`, with amounts.
    as_of
        The day that the tables describe.
    split
        Last day of the half that the forecast is tested from; by default the middle of the
        ledger.
    horizon_days
        How far to look ahead, in days.
    margin
        Share of an amount that is profit; 1 gives value as revenue.
    annual_discount_rate
        Rate at which future money is discounted, as a fraction a year.
    prospects
        People known by name who may not have bought yet, with a `customer_id`.
    tier_shares
        The shares of customers down to which diamond and gold reach: by default the best 5 %,
        and the next 15 %.
    plan
        Your table of actions in place of `crmkit.actions.plan`.
    on_step
        Called with the name of each step as it begins, to show progress.

    Returns
    -------
    A frozen `Result` of named tables, native like `orders`. `customers` has one row per
    customer and prospect, sorted by `customer_id`, with the columns of
    `crmkit.lifecycle.rhythm`, `rfm.score`, `rfm.segment`, `clv.predict`, `tiers.assign`,
    `tiers.abc`, `lifecycle.assign`, `churn.risk` and `actions.recommend`, and

    =================  =====  ===============================================================
    ``value_at_risk``  float  ``clv * churn_risk``: the part of the expected value that silence
                              puts in doubt; a scale to rank by
    =================  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or has no amounts.
    FitError
        If no customer came back, so that nothing can be forecast.
    InvalidArgumentError
        If nobody bought by `as_of`, or a date, rate or share is outside its range.

    Notes
    -----
    Warnings of the steps are not raised but kept in `Result.notes`.

    A lazy ledger is read once, for `crmkit.rfm.purchase_days`; all steps start from these. They,
    the summary and the predictions are kept: in memory by Polars and DuckDB, persisted by Dask,
    cached by Spark until `spark.catalog.clearCache()`. `customers` is a plan on what is kept.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> result = run(load_cdnow(sample=True), as_of=date(1998, 6, 30))
    >>> columns = ["customer_id", "segment", "stage", "tier", "p_alive", "clv", "action"]
    >>> print(result.customers[columns].head(3).round(2).to_string(index=False))
    customer_id   segment  stage   tier  p_alive   clv                      action
          00004 Champions active silver     0.66 31.28 serve by automatic channels
          00018      Lost   lost silver     1.00  5.35           stop paid contact
          00021   At Risk   lost silver     0.17  2.59           stop paid contact
    """
    step = on_step or (lambda _: None)
    step("reading the ledger")
    as_of = time.as_day(as_of, argument="as_of")
    frames.read(orders, _WITH_MONEY)
    notes: list[str] = []
    with _collecting(notes):
        days = frames.keep(rfm.purchase_days(orders, as_of=as_of))
        split = _middle(days, as_of) if split is None else time.as_day(split, argument="split")
        settings = Settings(as_of, split, horizon_days, margin, annual_discount_rate)
        step("summarizing customers")
        rhythm = frames.keep(lifecycle.rhythm(days, as_of=as_of, prospects=prospects))
        breakpoints = rfm.breakpoints(rhythm)
        step("fitting lifetime value")
        purchases = clv.fit(rhythm, model=_MODEL)
        spend = clv.fit(rhythm, model="gamma_gamma")
        stage_rules = lifecycle.rules(rhythm)
        step("predicting lifetime value")
        valued = frames.keep(
            clv.predict(
                rfm.segment(rfm.score(rhythm, breakpoints=breakpoints)),
                purchases=purchases,
                spend=spend,
                horizon_days=horizon_days,
                margin=margin,
                annual_discount_rate=annual_discount_rate,
            )
        )
        rule = tiers.rule(valued, method="customer_share", cuts=tier_shares)
        step("deciding what to do")
        tiered = tiers.abc(tiers.assign(valued, rule=rule))
        rated = churn.risk(lifecycle.assign(tiered, rules=stage_rules))
        customers = actions.recommend(_with_value_at_risk(rated), plan=plan)
        step("following cohorts")
        retention = frames.keep(cohorts.calendar_retention(days, as_of=as_of))
        step("testing the forecast on held-out days")
        backtest, calibration, untested = _tested(days, settings)
    step("adding up")
    concentration = tiers.concentration(valued)
    bought = _customers_only(customers)
    return Result(
        customers=customers,
        key_figures=key_figures(
            customers, concentration=concentration, backtest=backtest, settings=settings
        ),
        call_list=actions.call_list(customers),
        actions=actions.summary(customers),
        segments=rfm.segment_summary(bought),
        stages=lifecycle.stage_summary(customers),
        tiers=tiers.summary(bought, rule=rule),
        concentration=concentration,
        cohorts=_cohort_table(retention),
        retention=retention,
        retention_by_month=cohorts.pooled(retention),
        models=parameters([purchases, spend], like=orders),
        backtest=backtest,
        calibration=calibration,
        kept=Kept(breakpoints, purchases, spend, stage_rules, rule),
        settings=settings,
        notes=tuple(dict.fromkeys([*notes, *untested])),
    )


def _middle(days: IntoFrame, as_of: date) -> date:
    """Halve the time from the first purchase day to `as_of`."""
    frame = frames.reopen(days)
    first = frame.select(time.day_number(frame, "date").min().alias("first")).collect()
    number = first["first"].drop_nulls().to_list()
    if not number:
        msg = f"transactions: no row by {as_of}.\nGive a later `as_of`."
        raise InvalidArgumentError(msg)
    return time.day_of(int(number[0]) + (time.number_of(as_of) - int(number[0])) // 2)


def _with_value_at_risk(customers: IntoFrameT) -> IntoFrameT:
    at_risk = nw.col("clv") * nw.col("churn_risk")
    frame = frames.with_columns(frames.reopen(customers), value_at_risk=at_risk)
    return frames.give(frame, like=customers)


def _customers_only(customers: IntoFrameT) -> IntoFrameT:
    """Leave out prospects, who have no segment and no tier."""
    frame = frames.without_prospects(frames.reopen(customers), SUMMARY)
    return frames.give(frame, like=customers)


def _cohort_table(retention: IntoFrameT) -> IntoFrameT:
    """Take the columns of `crmkit.cohorts.table`, which the retention rates are made of."""
    cells = ("cohort", "period", "starts", "ends", "is_complete", "cohort_size", "customers")
    return frames.give(frames.reopen(retention).select(*cells), like=retention)


def _tested(
    days: IntoFrameT, settings: Settings
) -> tuple[IntoFrameT | None, IntoFrameT | None, tuple[str, ...]]:
    """Test the forecast on held-out days, or say why that cannot be done."""
    split, as_of = settings.split, settings.as_of
    try:
        tested = clv.validate(days, split=split, as_of=as_of, model=_MODEL)
    except FitError as error:
        return None, None, (f"The forecast could not be tested on held-out days. {error}",)
    return tested.backtest, tested.calibration, ()


@contextmanager
def _collecting(notes: list[str]) -> Iterator[None]:
    """Keep the warnings of crmkit, and pass on every other warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CrmkitWarning)
        yield
    for each in caught:
        if issubclass(each.category, CrmkitWarning):
            notes.append(str(each.message))
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)

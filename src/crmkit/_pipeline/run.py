"""The main job itself, one step after another."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import actions as plans
from crmkit import churn, clv, cohorts, lifecycle, rfm, tiers
from crmkit._clv.evaluation.backtest import backtest_and_calibration
from crmkit._clv.evaluation.holdout_trial import WITH_MONEY
from crmkit._door import frames, time
from crmkit._pipeline.key_figures import action_summary, key_figures, parameters
from crmkit._pipeline.result import Kept, Result, Settings
from crmkit.errors import CrmkitWarning, FitError, InvalidArgumentError

_OWN_PACE: Final = (
    "customer_id",
    "mean_gap_days",
    "expected_gap_days",
    "overdue_ratio",
    "stage",
    "stage_reason",
)
_ON_THE_CALL_LIST: Final = (
    "customer_id",
    "action",
    "action_reason",
    "value_at_risk",
    "clv",
    "churn_risk",
    "risk_reason",
    "stage",
    "tier",
    "segment",
    "last_date",
    "orders",
    "total_amount",
)
_CALLS: Final = 100
_MODEL: Final = "bg_nbd"

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
    """Answer who the customers are, what they are worth, who is leaving and what to do.

    Every table comes from the public functions of crmkit with their defaults; where yours
    should differ, call them yourself in the order of this function. The models take it that
    the weeks to come are like those observed: no season, no trend.

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
        What money a year from now is worth less, as a fraction.
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
    customer, sorted by `customer_id`, with the columns of `crmkit.rfm.summarize`, `rfm.score`,
    `rfm.segment`, `clv.predict`, `tiers.assign`, `tiers.abc`, `lifecycle.assign` and
    `churn.risk`, and

    =================  =====  ===============================================================
    ``value_at_risk``  float  ``clv * churn_risk``: of the value still expected, the part that
                              silence puts in doubt; a scale to rank by
    ``action``         text   the one thing to do
    ``action_reason``  text   why
    =================  =====  ===============================================================

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or has no amounts.
    FitError
        If no customer came back, so that nothing can be forecast.
    InvalidArgumentError
        If there is no purchase by `as_of`, or a date, rate or share is outside its range.

    Notes
    -----
    What the steps warn of is not raised but kept in `Result.notes`.

    A lazy ledger is read for the summary, the rhythm, retention and the held-out half, and for
    the middle where no `split` is given. The first three are kept, so that nothing reads it for
    them again: in memory by Polars and DuckDB, persisted by Dask, cached by Spark until
    `spark.catalog.clearCache()`. `customers` is a plan on what is kept, `cohorts` one on the
    ledger.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> result = run(load_cdnow(sample=True, backend="pandas"), as_of=date(1998, 6, 30))
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
    split = _middle(orders, as_of) if split is None else time.as_day(split, argument="split")
    settings = Settings(as_of, split, horizon_days, margin, annual_discount_rate)
    notes: list[str] = []
    with _collecting(notes):
        valued, kept = _valued(orders, settings, tier_shares=tier_shares, step=step)
        step("placing customers in life")
        paced = frames.keep(lifecycle.rhythm(orders, as_of=settings.as_of, prospects=prospects))
        stage_rules = lifecycle.rules(paced)
        staged = lifecycle.assign(paced, rules=stage_rules)
        customers = _joined(staged, valued, plan=plan)
        step("following cohorts")
        retention = frames.keep(cohorts.calendar_retention(orders, as_of=settings.as_of))
        step("testing the forecast on held-out days")
        backtest, calibration, no_test = _tested(orders, settings)
    step("adding up")
    concentration = tiers.concentration(valued)
    return Result(
        customers=customers,
        key_figures=key_figures(
            customers, concentration=concentration, backtest=backtest, settings=settings
        ),
        call_list=_call_list(customers),
        actions=action_summary(customers),
        segments=rfm.segment_summary(valued),
        stages=lifecycle.stage_summary(staged),
        tiers=tiers.summary(valued, rule=kept["tiers"]),
        concentration=concentration,
        cohorts=cohorts.table(orders, as_of=settings.as_of),
        retention=retention,
        retention_by_month=cohorts.pooled(retention),
        models=parameters([kept["purchases"], kept["spend"]], like=orders),
        backtest=backtest,
        calibration=calibration,
        kept=Kept(stages=stage_rules, **kept),
        settings=settings,
        notes=tuple(dict.fromkeys([*notes, *no_test])),
    )


def _middle(orders: IntoFrame, as_of: date) -> date:
    """Halve the time from the first row of the ledger to `as_of`."""
    ledger = frames.read(orders, WITH_MONEY)
    seen = ledger.filter(time.until(ledger, as_of))
    first = seen.select(time.day_number(seen, "date").min().alias("first")).collect()
    number = first["first"].drop_nulls().to_list()
    if not number:
        msg = f"transactions: no row by {as_of}.\nGive a later `as_of`."
        raise InvalidArgumentError(msg)
    return time.day_of(int(number[0]) + (time.number_of(as_of) - int(number[0])) // 2)


def _valued(
    orders: IntoFrameT, settings: Settings, *, tier_shares: tuple[float, float], step: Step
) -> tuple[IntoFrameT, dict[str, Any]]:
    """Score, segment, value and tier everybody who has bought."""
    step("summarising customers")
    customers = frames.keep(rfm.summarize(orders, as_of=settings.as_of))
    breakpoints = rfm.breakpoints(customers)
    segmented = rfm.segment(rfm.score(customers, breakpoints=breakpoints))
    step("fitting lifetime value")
    purchases = clv.fit(segmented, model=_MODEL)
    spend = clv.fit(segmented, model="gamma_gamma")
    step("predicting lifetime value")
    valued = clv.predict(
        segmented,
        purchases=purchases,
        spend=spend,
        horizon_days=settings.horizon_days,
        margin=settings.margin,
        annual_discount_rate=settings.annual_discount_rate,
    )
    rule = tiers.rule(valued, method="customer_share", cuts=tier_shares)
    tiered = tiers.abc(tiers.assign(valued, rule=rule))
    kept = {"breakpoints": breakpoints, "purchases": purchases, "spend": spend, "tiers": rule}
    return tiered, kept


def _joined(staged: IntoFrameT, valued: IntoFrameT, *, plan: IntoFrame | None) -> IntoFrameT:
    """Put what is known of each customer and prospect in one row, and say what to do."""
    known = frames.reopen(valued)
    everybody = frames.reopen(staged).select(*_OWN_PACE).join(known, on="customer_id", how="left")
    in_turn = dict.fromkeys([*known.collect_schema().names(), *_OWN_PACE])
    whole = everybody.select(*in_turn)
    rated = churn.risk(frames.give(whole, like=staged, order_by=["customer_id"]))
    in_doubt = nw.col("clv") * nw.col("churn_risk")
    frame = frames.with_columns(frames.reopen(rated), value_at_risk=in_doubt)
    return plans.recommend(frames.give(frame, like=staged), plan=plan)


def _tested(
    orders: IntoFrameT, settings: Settings
) -> tuple[IntoFrameT | None, IntoFrameT | None, tuple[str, ...]]:
    """Hold the forecast against the held-out days, or say why that cannot be done."""
    split, as_of = settings.split, settings.as_of
    try:
        return *backtest_and_calibration(orders, split=split, as_of=as_of, model=_MODEL), ()
    except FitError as error:
        return None, None, (f"The forecast could not be tested on held-out days. {error}",)


def _call_list(customers: IntoFrameT) -> IntoFrameT:
    """Take the customers with most value at risk; of equals, the lower id first."""
    frame = frames.reopen(customers).filter(~nw.col("value_at_risk").is_null())
    ranked = frame.select(*_ON_THE_CALL_LIST).sort(
        "value_at_risk", "customer_id", descending=[True, False]
    )
    return frames.give(ranked.head(_CALLS), like=customers)


@contextmanager
def _collecting(notes: list[str]) -> Iterator[None]:
    """Keep what crmkit warns of, and pass on every other warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CrmkitWarning)
        yield
    for each in caught:
        if issubclass(each.category, CrmkitWarning):
            notes.append(str(each.message))
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)

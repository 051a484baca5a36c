"""The main job, one step after another."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from crmkit import actions, cohorts, lifecycle, rfm
from crmkit._actions.call_list import STOP
from crmkit._clv.fitting.parameters import parameter_columns, with_types
from crmkit._door import frames, time
from crmkit._pipeline import carried, decisions, drift, forecast, held_out_risk, known, value
from crmkit._pipeline.applicable import applicable, require_measures
from crmkit._pipeline.kept import About, Kept, require_currency, require_kept
from crmkit._pipeline.key_figures import key_figures
from crmkit._pipeline.ranking import RANKINGS, Ranking, ranked
from crmkit._pipeline.result import Result, Settings
from crmkit._pipeline.trend import trend
from crmkit._words.arguments import require_choice
from crmkit._words.rates import require_discount_rate, require_horizon, require_margin
from crmkit.clv import Fit
from crmkit.errors import CrmkitWarning, InvalidArgumentError

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
    no_contact: Sequence[str] = STOP,
    keep: Sequence[str] = (),
    ranking: Ranking = "model",
    kept: Kept | None = None,
    currency: str = "",
    on_step: Step | None = None,
) -> Result[IntoFrameT]:
    """Run the main job: segments, value, stages, risk and actions, from a ledger.

    Every table comes from the public functions of crmkit with their defaults, in the order of
    this function; where yours should differ, call them yourself. The models assume that the
    weeks to come are like those observed: no season, no trend.

    What the ledger does not allow is left out, and `Result.left_out` says why: without amounts
    all money, without customers who came back the forecast and the stages, with fewer than 20
    customers the models. The job as a whole is refused only where nobody has bought at all.

    Parameters
    ----------
    orders
        One row per order, order line or return, as made by `crmkit.transactions`.
    as_of
        The day that the tables describe.
    split
        Last day of the part that the forecast is tested from; by default the middle of the
        ledger, or where too few customers had come back by then a later day.
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
    no_contact
        The actions of the plan that mean no contact: the call list holds nobody with one.
    keep
        Columns of `orders` that describe the customer, such as name, phone and region. Each
        customer's last known value stands right after `customer_id` in `customers` and in
        `call_list`: that of the last day on which it is known, and of several on that day the
        last in the order of values. `prospects` may have them too.
    ranking
        "model", or "blend" for the mean of the models and of boosted trees as in `crmkit.clv.rank`,
        which appends `blended_purchases` and `blended_amount`; "best" does that only where held-out
        days say that it finds more money in the top tenth. It pays on replacement cycles, and costs
        about as much again as all other predictions.
    kept
        `Result.kept` of an earlier day: its cut points, fits, rules and calibration are applied,
        so that a score, a tier and a stage mean what they meant then; what is None in it is
        fitted anew. `tier_shares` then has no effect on tiers. `Result.drift` has what has
        moved since, and a note says whether to fit anew.
    currency
        Sign or code of the amounts, to be kept. Kept values of another one are refused.
    on_step
        Called with the name of each step as it begins, to show progress.

    Returns
    -------
    A frozen `Result` of named tables, native like `orders`. `customers` has one row per
    customer and prospect, sorted by `customer_id`, with the columns of
    `crmkit.lifecycle.rhythm`, `rfm.score`, `rfm.segment`, `clv.predict`, `tiers.assign`,
    `tiers.abc`, `lifecycle.assign`, `churn.risk`, `churn.value_at_risk` and
    `actions.recommend`, as far as they can be made. Risk and value at risk are of the horizon.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If `orders` breaks its contract, or lacks a column to keep or one that a kept value was
        fitted on.
    InvalidArgumentError
        If `orders` has no row by `as_of` and no prospects are given, a date, rate or share is
        outside its range, `keep` names a column that the job makes itself, or `kept` is of a
        later day or of another currency.

    Notes
    -----
    Warnings of the steps are not raised but kept in `Result.notes`. A model whose search
    stopped before it reached a maximum is not used.

    Churn risk is tested on the last days of the ledger, as many as the horizon has but at most
    those after `split`, by a model fitted before; what it learns there calibrates the risk.

    Segments are those of the map "rf_ranks", which needs no amounts. Stages have limits that were
    learned by `crmkit.lifecycle.fit_rules` for a horizon of a quarter, or of as many quarters as
    the typical gap between purchases, where the log is at least twice as long; else those of
    `crmkit.lifecycle.rules`. Without amounts, actions go by stage alone, and the call
    list holds those who are late, by expected purchases. Where nothing can be forecast it holds
    those who are late by stage or else by segment, by what they brought.

    A lazy ledger is read once, for `crmkit.rfm.purchase_days`; all steps start from these. Columns
    to keep cost a second reading. The days, the summary and the predictions are kept: in memory
    by Polars and DuckDB, persisted by Dask, cached by Spark until `spark.catalog.clearCache()`.
    `customers` is a plan on what is kept.

    Examples
    --------
    >>> from crmkit.datasets import load_cdnow
    >>> result = run(load_cdnow(sample=True), as_of=date(1998, 6, 30))
    >>> columns = ["customer_id", "segment", "stage", "tier", "p_alive", "clv"]
    >>> print(result.customers[columns].head(3).round(2).to_string(index=False))
    customer_id                        segment  stage   tier  p_alive   clv
          00004          Frequent, most recent active silver     0.73 35.13
          00018       Infrequent, least recent   lost silver     0.27  2.81
          00021 Medium frequency, least recent   lost silver     0.10  1.79
    """
    step = on_step or (lambda _: None)
    step("reading the ledger")
    require_horizon(horizon_days)
    require_margin(margin)
    require_discount_rate(annual_discount_rate)
    require_choice(ranking, RANKINGS, argument="ranking")
    currency = require_currency(currency)
    settings = Settings(
        as_of=time.as_day(as_of, argument="as_of"),
        split=None if split is None else time.as_day(split, argument="split"),
        horizon_days=horizon_days,
        margin=margin,
        annual_discount_rate=annual_discount_rate,
        keep=carried.require_names(keep),
    )
    given = require_kept(kept, as_of=settings.as_of, currency=currency)
    settings = with_kept_day(settings, given)
    notes: list[str] = []
    with collecting(notes):
        days = frames.keep(rfm.purchase_days(orders, as_of=settings.as_of))
        settings = _with_split(settings, days, may_be_empty=prospects is not None)
        step("summarizing customers")
        rhythm = lifecycle.rhythm(days, as_of=settings.as_of, prospects=prospects)
        customers = frames.keep(
            carried.with_last_known(
                rhythm,
                orders=orders,
                prospects=prospects,
                keep=settings.keep,
                as_of=settings.as_of,
            )
        )
        found = known.look_at(customers)
        if not found.n_customers:
            why = known.nobody(settings.as_of, only_returns=settings.split is not None)
            return people_only(customers, settings=settings, why=why, kept=given)
        use, not_applied = applicable(given, customers, found, horizon_days=horizon_days)
        step("fitting lifetime value")
        scored = value.scored(customers, found, kept=use.breakpoints)
        models = forecast.fitted(customers, found, days=days, settings=settings, kept=use)
        step("predicting lifetime value")
        predicted = ranked(
            scored.customers,
            days=days,
            models=models,
            settings=settings,
            ranking=ranking,
            kept=use.trees,
        )
        step("testing churn risk on held-out days")
        risk = held_out_risk.tested(days, models, settings, kept=use.risk)
        step("deciding what to do")
        require_measures(use, predicted.customers)
        tiered = value.tiered(predicted.customers, found, shares=tier_shares, kept=use.tiers)
        staged = decisions.staged(
            tiered.customers, found, days=days, as_of=settings.as_of, kept=use.stages
        )
        rated = decisions.at_risk(
            staged.customers,
            days=days,
            models=models,
            calibration=risk.calibration,
            settings=settings,
        )
        customers = decisions.advised(rated, plan=plan)
        step("following cohorts")
        retention = frames.keep(cohorts.calendar_retention(days, as_of=settings.as_of))
        step("testing the forecast on held-out days")
        held_out = forecast.tested(days, models, settings)
        totals = forecast.totals(
            predicted.customers, days=days, models=models, held_out=held_out, settings=settings
        )
        if kept is not None:
            step("comparing with what was kept")
        counts = drift.counts(customers)
        moved = drift.since(given, counts, days=days, as_of=settings.as_of, like=orders)
    step("adding up")
    sold = trend(days, as_of=settings.as_of)
    fits = [fit for fit in (models.purchases, models.spend) if fit is not None]
    left_out = (
        *filter(None, [known.no_money(found)]),
        *not_applied,
        *scored.left_out,
        *models.left_out,
        *tiered.left_out,
        *staged.left_out,
        *risk.left_out,
        *held_out.left_out,
    )
    return Result(
        customers=customers,
        key_figures=key_figures(
            customers,
            concentration=tiered.concentration,
            backtest=held_out.backtest,
            calibration=held_out.calibration,
            reliability=risk.reliability,
            settings=settings,
            bounds=totals.bounds,
        ),
        trend=sold.periods,
        comparison=sold.comparison,
        call_list=actions.call_list(
            customers, most=decisions.MOST_CALLS, keep=settings.keep, no_contact=no_contact
        ),
        actions=decisions.action_summary(customers),
        segments=value.segment_summary(customers, scored.breakpoints),
        stages=None if staged.rules is None else lifecycle.stage_summary(customers),
        stage_returns=staged.returns,
        tiers=value.tier_summary(customers, tiered.rule),
        concentration=tiered.concentration,
        cohorts=_cohort_table(retention),
        retention=retention,
        retention_by_month=cohorts.pooled(retention),
        models=_parameters(fits, like=orders) if fits else None,
        backtest=held_out.backtest,
        calibration=held_out.calibration,
        reliability=risk.reliability,
        drift=moved.table,
        kept=given.completed(
            Kept(
                scored.breakpoints,
                models.purchases,
                models.spend,
                staged.rules,
                tiered.rule,
                risk.calibration,
                About(
                    settings.as_of,
                    n_customers=found.n_customers,
                    n_purchase_days=_n_rows(days),
                    currency=currency,
                    horizon_days=horizon_days,
                    counts=counts,
                ),
                predicted.trees,
            )
        ),
        settings=settings,
        notes=tuple(
            dict.fromkeys(
                filter(None, [moved.note, *notes, models.chosen, predicted.note, *totals.notes])
            )
        ),
        left_out=left_out,
    )


def people_only(
    customers: IntoFrameT, *, settings: Settings, why: str, kept: Kept
) -> Result[IntoFrameT]:
    """Give the list of people and how many they are, where nobody has bought."""
    figures = key_figures(
        customers,
        concentration=None,
        backtest=None,
        calibration=None,
        reliability=None,
        settings=settings,
    )
    return Result(
        customers=customers,
        key_figures=figures,
        settings=settings,
        kept=kept,
        left_out=(why,),
    )


@contextmanager
def collecting(notes: list[str]) -> Iterator[None]:
    """Keep the warnings of crmkit, and pass on every other warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CrmkitWarning)
        yield
    for each in caught:
        if issubclass(each.category, CrmkitWarning):
            notes.append(str(each.message))
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def with_kept_day(settings: Settings, kept: Kept) -> Settings:
    """Note the day that the kept values are of, where they are."""
    return settings if kept.about is None else replace(settings, kept_as_of=kept.about.as_of)


def _with_split(settings: Settings, days: IntoFrame, *, may_be_empty: bool) -> Settings:
    """Halve the time from the first purchase day to `as_of` if it can be, or take what is given."""
    frame = frames.reopen(days)
    first = frame.select(time.day_number(frame, "date").min().alias("first")).collect()
    number = first["first"].drop_nulls().to_list()
    if not number and may_be_empty:
        return replace(settings, split=None)
    if not number:
        msg = f"transactions: no row by {settings.as_of}.\nGive a later `as_of`."
        raise InvalidArgumentError(msg)
    if settings.split is not None:
        return settings
    first_day = time.day_of(int(number[0]))
    split = forecast.test_split(days, first=first_day, as_of=settings.as_of)
    return replace(settings, split=split)


def _n_rows(native: IntoFrame) -> int:
    return int(frames.reopen(native).select(n=nw.len()).collect().item())


def _parameters(fits: Sequence[Fit], *, like: IntoFrameT) -> IntoFrameT:
    """List the parameters as `crmkit.clv.parameters` does, on the engine of the orders."""
    table = frames.table_like(parameter_columns(fits), like=frames.reopen(like))
    return frames.give(with_types(table), like=like)


def _cohort_table(retention: IntoFrameT) -> IntoFrameT:
    """Take the columns of `crmkit.cohorts.table`, which the retention rates are made of."""
    cells = ("cohort", "period", "starts", "ends", "is_complete", "cohort_size", "customers")
    return frames.give(frames.reopen(retention).select(*cells), like=retention)

"""Sections on retention, and on lifetime value with the test of the forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from crmkit import plots
from crmkit._door.frames import Row
from crmkit._report.html_tables import HtmlTable, html_table
from crmkit._report.inputs import ReportInputs
from crmkit._report.overview import total_bounds
from crmkit._report.sections import Section
from crmkit._report.svg import draw_svg
from crmkit._words import formats

_A_YEAR: Final = 12
_BASELINES: Final[Mapping[str, str]] = {
    "same rate": "baseline: all customers keep their past rate",
    "same rate if recent": "baseline: customers who bought recently keep their past rate",
}


def retention(inputs: ReportInputs) -> Section | None:
    """Section: retention rates, by cohort and overall."""
    if "retention" not in inputs.tables:
        return None
    table = html_table(
        inputs.rows["retention_by_month"],
        *("period", "n_eligible", "n_retained", "retention_rate", "lower", "upper"),
        table="retention_by_month",
        caption="All cohorts together, with the interval of the rate",
        is_folded=True,
    )
    heatmap = draw_svg("retention", lambda: plots.retention_heatmap(inputs.tables["retention"]))
    curve = draw_svg("curve", lambda: plots.retention_curve(inputs.tables["retention_by_month"]))
    mixed = draw_svg("cohorts", lambda: plots.new_and_returning(inputs.tables["cohorts"]))
    return Section(
        key="retention",
        heading="Who comes back",
        reading=_returning(inputs.rows["retention_by_month"]),
        remarks=(
            "A cohort is all customers who first bought in the same month.",
            "Unknown rates stay blank.",
        ),
        pictures=(heatmap, curve, mixed),
        html_tables=(table,),
        tables=("retention", "retention_by_month", "cohorts"),
    )


def lifetime_value(inputs: ReportInputs) -> Section | None:
    """Section: expected purchases and value, and the forecast on held-out days."""
    if "models" not in inputs.tables:
        return None
    has_value = inputs.has_figure("expected value")
    worth = ""
    if has_value:
        value = inputs.money(inputs.figure("expected value"))
        worth = f", worth {value}{total_bounds('expected value', inputs)}"
    purchases = formats.whole(inputs.figure("expected purchases"))
    reading = (
        f"In the next {inputs.settings.horizon_days:g} days {purchases}"
        f"{total_bounds('expected purchases', inputs)} purchases are expected of these "
        f"customers{worth}. {_tested(inputs)}"
    )
    pictures = []
    html_tables = []
    if inputs.has("backtest"):
        html_tables.append(_forecasts(inputs))
        drawing = draw_svg("backtest", lambda: plots.forecast_error(inputs.tables["backtest"]))
        pictures.append(drawing)
    if inputs.has("calibration"):
        drawing = draw_svg("calibration", lambda: plots.calibration(inputs.tables["calibration"]))
        pictures.append(drawing)
    parameters = html_table(
        inputs.rows["models"],
        *("model", "parameter", "estimate", "standard_error"),
        table="models",
        caption="Parameters of the models",
        is_folded=True,
    )
    return Section(
        key="lifetime-value",
        heading=f"{'Lifetime value' if has_value else 'Forecast'}, and how accurate it is",
        reading=reading,
        remarks=_parameters_in_words(inputs),
        pictures=tuple(pictures),
        html_tables=(*html_tables, parameters),
        tables=inputs.there("backtest", "calibration", "models", "customers"),
    )


def _returning(rows: Sequence[Row]) -> str:
    known = [row for row in rows if row["period"] > 0 and row["retention_rate"] is not None]
    if not known:
        return "No retention rate is known yet: no month after a first purchase is over."
    first, later = known[0], [row for row in known if row["period"] <= _A_YEAR][-1:]
    text = (
        f"{formats.percent(first['retention_rate'])} of the customers bought again in month "
        f"{first['period']} after the month of their first purchase"
    )
    further = "".join(
        f", {formats.percent(row['retention_rate'])} in month {row['period']}"
        for row in later
        if row is not first
    )
    return f"{text}{further}."


def _tested(inputs: ReportInputs) -> str:
    """Compare the model with the baselines."""
    rows = [row for row in inputs.rows.get("backtest", []) if row["purchases_error"] is not None]
    models = [row for row in rows if row["method"] not in _BASELINES]
    baselines = [row for row in rows if row["method"] in _BASELINES]
    error = inputs.figure("forecast error")
    if not models and error is not None:
        return f"On held-out days the model forecast {_written(error)} purchases."
    if not models or not baselines:
        return "The forecast could not be tested on held-out days; see what is left out."
    model = models[0]
    text = (
        f"On held-out days the model forecast {_errors(model)}; the baselines forecast "
        f"{' and '.join(map(_errors, baselines))}."
    )
    by = "purchases_error" if model["amount_error"] is None else "amount_error"
    is_best = all(row[by] is None or abs(model[by]) < abs(row[by]) for row in baselines)
    return text if is_best else f"{text} A baseline did as well: use the forecast with care."


def _errors(row: Row) -> str:
    """Write the error of money first: it is what a plan is made with."""
    purchases = f"{_written(row['purchases_error'])} purchases"
    error = row["amount_error"]
    if error is None:
        return purchases
    return (
        f"{formats.percent(abs(error))} too {'little' if error < 0 else 'much'} money ({purchases})"
    )


def _written(error: float) -> str:
    return f"{formats.percent(abs(error))} too {'few' if error < 0 else 'many'}"


def _parameters_in_words(inputs: ReportInputs) -> tuple[str, ...]:
    """Explain the parameters of the BG/NBD model in a sentence."""
    rows = [row for row in inputs.rows["models"] if row["model"] == "bg_nbd"]
    found = {row["parameter"]: row["estimate"] for row in rows}
    has_maximum = all(row["standard_error"] is not None for row in rows)
    if not rows or not has_maximum:
        return ()
    days, dropout = found["alpha"] / found["r"], found["a"] / (found["a"] + found["b"])
    text = (
        f"By the model, active customers buy every {formats.whole(days)} days on average, and "
        f"after a repeat purchase {formats.percent(dropout)} become inactive for good."
    )
    return (text,)


def _forecasts(inputs: ReportInputs) -> HtmlTable:
    rows = [
        {**row, "what": _BASELINES.get(row["method"], "the model")}
        for row in inputs.rows["backtest"]
    ]
    return html_table(
        rows,
        *("method", "predicted_amount", "actual_amount", "amount_error"),
        *("predicted_purchases", "actual_purchases", "purchases_error", "top_tenth_share"),
        table="backtest",
        caption="Forecast and actual purchases on held-out days",
        details={"method": "what"},
        currency=inputs.currency,
    )

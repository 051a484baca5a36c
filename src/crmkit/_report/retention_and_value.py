"""What the answers rest on: who came back before, and how good the same forecast was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from crmkit import plots
from crmkit._door.frames import Row
from crmkit._report.book import Book
from crmkit._report.drawings import draw
from crmkit._report.grids import Grid, make_grid
from crmkit._report.sections import Section
from crmkit._words import formats

_A_YEAR: Final = 12
_PLAIN_RULES: Final[Mapping[str, str]] = {
    "same rate": "plain rule: everybody goes on as before",
    "same rate if recent": "plain rule: whoever bought lately goes on as before",
}


def retention(book: Book) -> Section:
    """Say how many come back."""
    grid = make_grid(
        book.rows["retention_by_month"],
        *("period", "n_eligible", "n_retained", "retention_rate", "lower", "upper"),
        table="retention_by_month",
        caption="All cohorts together, with the interval for the share",
        is_folded=True,
    )
    heatmap = draw("retention", lambda: plots.retention_heatmap(book.tables["retention"]))
    curve = draw("curve", lambda: plots.retention_curve(book.tables["retention_by_month"]))
    mixed = draw("cohorts", lambda: plots.new_and_returning(book.tables["cohorts"]))
    return Section(
        key="retention",
        heading="Who comes back",
        reading=_returning(book.rows["retention_by_month"]),
        remarks=(
            "A cohort is all who first bought in one month. What is not known yet stays blank.",
        ),
        pictures=(heatmap, curve, mixed),
        grids=(grid,),
        tables=("retention", "retention_by_month", "cohorts"),
    )


def lifetime_value(book: Book) -> Section:
    """Say what is to be expected, and how well the same forecast did before."""
    purchases, value = book.figure("expected purchases"), book.figure("expected value")
    reading = (
        f"In the next {book.settings.horizon_days:g} days {formats.whole(purchases)} purchases are "
        f"expected of these customers, worth {book.money(value)}. {_tested(book)}"
    )
    pictures = []
    grids = []
    if book.has("backtest"):
        grids.append(_forecasts(book))
        drawing = draw("backtest", lambda: plots.forecast_error(book.tables["backtest"]))
        pictures.append(drawing)
    if book.has("calibration"):
        drawing = draw("calibration", lambda: plots.calibration(book.tables["calibration"]))
        pictures.append(drawing)
    parameters = make_grid(
        book.rows["models"],
        *("model", "parameter", "estimate", "standard_error"),
        table="models",
        caption="Parameters of the models",
        is_folded=True,
    )
    names = ("backtest", "calibration", "models")
    return Section(
        key="lifetime-value",
        heading="Lifetime value, and how far to trust it",
        reading=reading,
        remarks=_in_plain_terms(book),
        pictures=tuple(pictures),
        grids=(*grids, parameters),
        tables=(*(name for name in names if name in book.tables), "customers"),
    )


def _returning(rows: Sequence[Row]) -> str:
    known = [row for row in rows if row["period"] > 0 and row["retention_rate"] is not None]
    if not known:
        return "No month after anybody's first is over yet, so nothing can be said."
    first, later = known[0], [row for row in known if row["period"] <= _A_YEAR][-1:]
    told = (
        f"{formats.percent(first['retention_rate'])} of the customers bought again in month "
        f"{first['period']} after the month of their first purchase"
    )
    further = "".join(
        f", {formats.percent(row['retention_rate'])} in month {row['period']}"
        for row in later
        if row is not first
    )
    return f"{told}{further}."


def _tested(book: Book) -> str:
    """Hold the model against the plain rules."""
    rows = [row for row in book.rows.get("backtest", []) if row["purchases_error"] is not None]
    models = [row for row in rows if row["method"] not in _PLAIN_RULES]
    rules = [row for row in rows if row["method"] in _PLAIN_RULES]
    if not models or not rules:
        return "How good that is could not be tested on held-out days; the notes say why."
    model = models[0]
    told = (
        f"On days that it had not seen, the model forecast {_off(model)} purchases; the plain "
        f"rules forecast {' and '.join(map(_off, rules))}."
    )
    is_nearest = all(abs(model["purchases_error"]) < abs(row["purchases_error"]) for row in rules)
    return told if is_nearest else f"{told} A plain rule did as well: take the forecast with care."


def _off(row: Row) -> str:
    error = row["purchases_error"]
    return f"{formats.percent(abs(error))} too {'few' if error < 0 else 'many'}"


def _in_plain_terms(book: Book) -> tuple[str, ...]:
    """Say what the parameters of the model of purchases mean."""
    rows = [row for row in book.rows["models"] if row["model"] == "bg_nbd"]
    found = {row["parameter"]: row["estimate"] for row in rows}
    has_maximum = all(row["standard_error"] is not None for row in rows)
    if not rows or not has_maximum:
        return ()
    days, leaving = found["alpha"] / found["r"], found["a"] / (found["a"] + found["b"])
    told = (
        f"By the model, customers who are still there buy every {formats.whole(days)} days on "
        f"average, and after a repeat purchase {formats.percent(leaving)} leave for good."
    )
    return (told,)


def _forecasts(book: Book) -> Grid:
    rows = [
        {**row, "what": _PLAIN_RULES.get(row["method"], "the model")}
        for row in book.rows["backtest"]
    ]
    return make_grid(
        rows,
        *("method", "predicted_purchases", "actual_purchases", "purchases_error"),
        *("predicted_amount", "actual_amount", "amount_error", "top_tenth_share"),
        table="backtest",
        caption="Forecasts of the held-out days against what came",
        details={"method": "what"},
    )

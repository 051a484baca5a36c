"""Section on churn risk: what was said on held-out days, and what happened."""

from __future__ import annotations

from collections.abc import Sequence

from crmkit import plots
from crmkit._door.frames import Row
from crmkit._pipeline.held_out_risk import split_of
from crmkit._report.html_tables import html_table
from crmkit._report.inputs import ReportInputs
from crmkit._report.sections import Section
from crmkit._report.svg import draw_svg
from crmkit._words import formats


def churn_risk(inputs: ReportInputs) -> Section | None:
    """Section: reliability of the churn risk."""
    rows, split = inputs.rows.get("reliability", []), split_of(inputs.settings)
    if not rows or split is None:
        return None
    table = html_table(
        rows,
        *("bin", "n_customers", "said", "happened", "low", "high"),
        table="reliability",
        caption="No purchase in the held-out days: said, and happened with its 90% interval",
        currency=inputs.currency,
    )
    remark = (
        "Churn risk is the probability of no purchase in the next "
        f"{inputs.settings.horizon_days or 0:g} days. The model knew the log up to {split}; the "
        f"{(inputs.settings.as_of - split).days} days after it show what happened."
    )
    return Section(
        key="churn-risk",
        heading="Churn risk, and how far it holds",
        reading=_reading(rows),
        remarks=(remark,),
        pictures=(
            draw_svg("reliability", lambda: plots.reliability(inputs.tables["reliability"])),
        ),
        html_tables=(table,),
        tables=("reliability", "customers"),
        is_split=True,
    )


def _reading(rows: Sequence[Row]) -> str:
    """Say how far off the risk was, and at its high end."""
    n = sum(row["n_customers"] for row in rows)
    off = sum(row["n_customers"] * abs(row["said"] - row["happened"]) for row in rows) / n
    last = rows[-1]
    return (
        f"On held-out days the risk was {formats.decimal(100 * off, digits=1)} points off in the "
        f"mean; of those with the highest it said {formats.percent(last['said'])}, and "
        f"{formats.percent(last['happened'])} bought nothing."
    )

"""What the stages mean, and how many customers of each came back."""

from __future__ import annotations

import math

from crmkit._report.html_tables import HtmlTable, html_table
from crmkit._report.inputs import ReportInputs
from crmkit._words import formats
from crmkit.lifecycle import StageRules


def limits_of_stages(rules: StageRules) -> str:
    """Say at which silence the stages begin."""
    limits = {
        "at risk": rules.at_risk_from,
        "lapsing": rules.lapsing_from,
        "lost": rules.lost_from,
    }
    unit = "days" if rules.windows == "days" else "expected gaps"
    begins = [
        f"{name} from {limit:g} {unit}" for name, limit in limits.items() if math.isfinite(limit)
    ]
    nobodys = [name for name, limit in limits.items() if math.isinf(limit)]
    nobody = f"; nobody is called {' or '.join(nobodys)}" if nobodys else ""
    return (
        "Stages compare the time since the last purchase with each customer's expected gap "
        f"between purchases: {', '.join(begins)}{nobody}. The typical gap here is "
        f"{rules.typical_gap_days:g} days."
    )


def came_back(inputs: ReportInputs) -> tuple[str, ...]:
    """Say how many of those called lost came back, where that was counted."""
    rows = inputs.rows.get("stage_returns", [])
    lost = next((row for row in rows if row["stage"] == "lost"), None)
    if lost is None:
        return ()
    if not lost["n_customers"]:
        return (f"Nobody would have been called lost on {lost['date']}.",)
    text = (
        f"Of the {formats.counted(lost['n_customers'], 'customer')} called lost on {lost['date']}, "
        f"{formats.percent(lost['return_rate'])} came back within {lost['horizon_days']} days."
    )
    return (text,)


def returns_table(inputs: ReportInputs) -> tuple[HtmlTable, ...]:
    """Show how many customers of each stage came back, where that was counted."""
    rows = [row for row in inputs.rows.get("stage_returns", []) if row["n_customers"]]
    if not rows:
        return ()
    table = html_table(
        rows,
        *("stage", "n_customers", "n_returned", "return_rate", "lower", "upper", "amount"),
        table="stage_returns",
        caption=f"Who bought again within {rows[0]['horizon_days']} days of {rows[0]['date']}",
        currency=inputs.currency,
    )
    return (table,)

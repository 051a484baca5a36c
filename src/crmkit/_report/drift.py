"""Section on what has moved since the kept values were fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crmkit._door.frames import Row
from crmkit._pipeline.drift import RISK
from crmkit._report.html_tables import HtmlTable, html_table
from crmkit._report.inputs import ReportInputs
from crmkit._report.sections import Section

_REMARK: Final = (
    "The population stability index (PSI) sums up how far the shares of all scores or groups have "
    "moved: below 0.1 is little and from 0.25 on is large, by a rule of thumb. What chance moves "
    "counts as little."
)


def drift(inputs: ReportInputs) -> Section | None:
    """Section: what has moved, and whether to fit anew, where kept values were given."""
    rows, day = inputs.rows.get("drift", []), inputs.settings.kept_as_of
    if not rows or day is None:
        return None
    begins = f"Since {day} "
    advice = next((note for note in inputs.notes if note.startswith(begins)), "")
    return Section(
        key="drift",
        heading=f"Since {day}",
        reading=advice or f"Compared with the values kept as of {day}.",
        remarks=(_REMARK,),
        html_tables=(_moved(rows), *_risk(rows, inputs)),
        tables=("drift",),
    )


def _moved(rows: Sequence[Row]) -> HtmlTable:
    """Show each measure once."""
    of = {row["measure"]: row for row in rows if row["measure"] != RISK}
    return html_table(
        list(of.values()),
        *("measure", "psi", "change"),
        table="drift",
        caption="How far the customers have moved by the kept cut points and rules",
    )


def _risk(rows: Sequence[Row], inputs: ReportInputs) -> tuple[HtmlTable, ...]:
    groups = [
        {**row, "said": row["expected"], "happened": row["actual"]}
        for row in rows
        if row["measure"] == RISK
    ]
    if not groups:
        return ()
    days = (inputs.settings.as_of - (inputs.settings.kept_as_of or inputs.settings.as_of)).days
    table = html_table(
        sorted(groups, key=lambda row: (len(row["group"]), row["group"])),
        *("n_customers", "said", "happened", "low", "high"),
        table="drift",
        caption=f"No purchase in the {days} days since: said by the kept model, and happened",
    )
    return (table,)

"""What the command prints: how the file was read, the key figures, where everything is."""

from __future__ import annotations

from typing import Any

from crmkit import intake, pipeline
from crmkit._pipeline.forecast import LEVEL
from crmkit._words import formats
from crmkit.errors import TooMuchSetAsideError


def reading(log: intake.Log) -> str:
    """Write the warnings first, then what was read, set aside and chosen."""
    columns = [f"  {_column(row)}" for row in log.columns.iter_rows(named=True)]
    kept = [f"Kept for each customer: {', '.join(log.keep)}."] if log.keep else []
    return "\n".join([*log.warnings, *log.notes, "Columns:", *columns, *kept])


def findings(log: intake.Log) -> str:
    """Write the findings that have rows, with their money and an example."""
    found = [row for row in log.findings.iter_rows(named=True) if row["rows"]]
    if not found:
        return "Nothing is wrong with its rows."
    lines = [f"  {'finding':<32}{'rows':>10}{'money':>16}  example"]
    for row in found:
        money = "" if row["money"] is None else f"{row['money']:,.2f}"
        lines.append(f"  {row['rule']:<32}{row['rows']:>10,}{money:>16}  {row['example']}")
    return "\n".join(lines)


def reasons(error: TooMuchSetAsideError) -> str:
    """Write the reasons to set rows aside, with rows and money."""
    lines = [f"  {'reason':<40}{'rows':>10}{'money':>16}"]
    lines += [f"  {reason:<40}{n:>10,}{money:>16,.2f}" for reason, n, money in error.reasons]
    return "\n".join(lines)


def result(made: pipeline.Result[Any], currency: str) -> str:
    """Write the key figures, what to keep in mind, and what is left out."""
    lines = [
        f"  {figure['figure']:<24}{_figure(figure, currency):>16}  "
        f"{_bounds(figure, currency)}{figure['meaning']}"
        for figure in made.key_figures.iter_rows(named=True)
    ]
    lines += [f"\nNote: {note}" for note in made.notes]
    lines += [f"\nLeft out: {sentence}" for sentence in made.left_out]
    return "\n".join(lines)


def _column(row: dict[str, Any]) -> str:
    cell = f": {formats.name(row['example'])!r}" if "example" in row else ""
    read = (
        f", read as {row['read_as']}"
        if row.get("read_as", "") not in {"", row.get("example")}
        else ""
    )
    form = f"; {row['form']}" if row["form"] else ""
    also = f"; next best {row['next_best']}" if row["next_best"] else ""
    score = f" (score {row['score']:g}{also})" if also else ""
    role = row["role"].replace("_id", "")
    return f"{role:<9} = {row['column']}{score}{cell}{read}{form}"


def _figure(figure: dict[str, Any], currency: str) -> str:
    if figure["value"] is None:
        return "unknown"
    return _written(figure["value"], figure, currency)


def _bounds(figure: dict[str, Any], currency: str) -> str:
    """Write the bounds of a total, where it has some."""
    if figure["lower"] is None or figure["upper"] is None:
        return ""
    lower, upper = (_written(figure[name], figure, currency) for name in ("lower", "upper"))
    return f"({formats.between(lower, upper, level=LEVEL)}) "


def _written(value: float, figure: dict[str, Any], currency: str) -> str:
    if figure["unit"] == "share":
        return formats.percent(value, digits=1)
    if figure["unit"] == "money":
        digits = 2 if figure["figure"] == "average order" else 0
        return formats.money(value, currency=currency, digits=digits)
    return formats.whole(value)

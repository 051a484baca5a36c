"""From a log to a table of how well the defaults rank and forecast on it, and a picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crmkit import pipeline, plots
from crmkit._cli import reading
from crmkit._door import files
from crmkit._words import formats
from crmkit.errors import InvalidArgumentError

if TYPE_CHECKING:
    import polars as pl

Step = Callable[[str], None]

_RANKED: Final = ("who buys nothing", "money lost", "money to come")
_HEADINGS: Final = {
    "auc": "AUC: 0.5 is chance, 1 is perfect",
    "captured_share": "share of the money in the tenth ranked first",
    "absolute_error": "mean error of the total, and bounds that held",
}
_PANEL: Final = (5.6, 4.3)
_STEM: Final = "evaluation"


def run(options: argparse.Namespace, step: Step) -> None:
    """Read the log, evaluate the defaults on it, write the tables and the picture, print it."""
    step("reading the file")
    log = reading.read(options)
    if log.kept is None:
        msg = (
            "The table has one row per customer, and an evaluation needs the dates of the "
            "purchases.\nGive a log with one row per order."
        )
        raise InvalidArgumentError(msg)
    found = pipeline.evaluate(
        log.kept,
        horizon_days=options.horizon_days,
        origins=options.origins,
        as_of=log.as_of,
        on_step=step,
    )
    step("writing the tables")
    folder = Path(options.out)
    write(found, folder)
    step("")
    print("\n".join([*log.warnings, *log.notes]))
    print(f"\n{as_text(found)}")
    print(f"\nWrote {folder / f'{_STEM}.png'} and the tables beside it.")


def as_text(found: pipeline.Evaluation[Any]) -> str:
    """Write the methods of each question side by side, then what they show in sentences."""
    days = ", ".join(map(str, found.origins))
    held_out = formats.counted(found.horizon_days, "day")
    first = f"From {days}: {held_out} after each were held out."
    parts = [first, *([] if found.summary is None else _tables(found.summary))]
    parts += ["\n".join(f"- {note}" for note in found.notes)]
    parts += ["\n".join(f"Left out: {sentence}" for sentence in found.left_out)]
    return "\n\n".join(filter(None, parts))


def write(found: pipeline.Evaluation[Any], folder: Path) -> None:
    """Write each table as Parquet and CSV, and the picture, in place of those of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("rankings", "totals", "summary"):
        stem = folder / f"{_STEM}_{name}"
        for suffix in (".parquet", ".csv"):
            stem.with_suffix(suffix).unlink(missing_ok=True)
        if name in found.frames():
            files.write_table(found.frames()[name], stem)
    picture(found, folder / f"{_STEM}.png")


def picture(found: pipeline.Evaluation[Any], path: Path) -> None:
    """Draw the questions that could be asked, two beside each other."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, so not loaded with crmkit
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    asked = set(found.rankings["question"])
    draw: list[Callable[[Any], Any]] = [
        partial(_draw_ranking, found.rankings, question)
        for question in _RANKED
        if question in asked
    ]
    if found.totals is not None:
        totals = found.totals
        has_money = "money" in set(totals["quantity"])
        quantity = "money" if has_money else "purchases"
        draw.append(lambda ax: plots.totals(totals, quantity=quantity, ax=ax))
    n_rows = (len(draw) + 1) // 2
    figure = Figure(
        figsize=(2 * _PANEL[0], n_rows * _PANEL[1]),
        layout=ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.15),
    )
    axes = figure.subplots(n_rows, 2, squeeze=False).ravel()
    for ax in axes[len(draw) :]:
        ax.set_axis_off()
    for ax, each in zip(axes, draw, strict=False):
        each(ax)
    figure.savefig(path, dpi=110)


def _draw_ranking(rankings: pl.DataFrame, question: str, ax: Any) -> None:  # noqa: ANN401 - Axes
    plots.rankings(rankings, question=question, ax=ax)


def _tables(summary: pl.DataFrame) -> Iterator[str]:
    """Write a block of lines for each question, the default first."""
    for question in summary["question"].unique(maintain_order=True):
        rows = [row for row in summary.iter_rows(named=True) if row["question"] == question]
        lines = [f"{question.capitalize()} ({_HEADINGS[rows[0]['measure']]})"]
        lines += [_line(row) for row in rows]
        yield "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    name = f"{row['method']} (crmkit)" if row["is_default"] else row["method"]
    is_auc = row["measure"] == "auc"
    mean = formats.decimal(row["mean"], digits=3) if is_auc else formats.percent(row["mean"])
    text = f"  {name:<32}{mean:>8}"
    if row["better_share"] is not None:
        k, n = round(row["better_share"] * row["n_origins"]), row["n_origins"]
        text += f"  beats the plain rule at {k} of {n}"
    elif row["lead"] is None:
        text += "  the plain rule" if row["held_share"] is None else ""
    if row["held_share"] is not None:
        k = round(row["held_share"] * row["n_origins"])
        text += f"; bounds held at {k}"
    return text

"""Write what was measured into docs/speed.md, and draw it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True, slots=True)
class Row:
    """One way to do one job at one size, in medians."""

    job: str
    size: str
    way: str
    cpu: float
    wall: float
    megabytes: float


def write_pages(rows: list[Row]) -> None:
    """Put the table into its place in the page, and the picture beside it."""
    page = DOCS / "speed.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{after}", encoding="utf-8")
    draw(rows, DOCS / "speed.svg")


def table(rows: list[Row]) -> str:
    """Write a line for each measurement, with how many times crmkit's CPU time it took."""
    lines = [
        "| job | customers | way | CPU s | wall s | peak MB | CPU time, crmkit = 1 |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        ours = _ours(rows, row)
        ratio = f"{row.cpu / ours.cpu:.3g}" if ours else ""
        lines.append(
            f"| {row.job} | {_said(row.size)} | {row.way} | {row.cpu:.3g} | {row.wall:.3g} | "
            f"{row.megabytes:,.0f} | {ratio} |"
        )
    return "\n".join(lines)


def draw(rows: list[Row], path: Path) -> None:
    """Draw CPU seconds, a bar for each way, on a log scale."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - takes its time to load

    groups = list(dict.fromkeys((row.job, row.size) for row in rows))
    groups = [
        each for each in groups if len({row.way for row in rows if (row.job, row.size) == each}) > 1
    ]
    colours = {"crmkit": "#2166ac", "by hand": "#999999"}
    bars = [(place, row) for place, each in enumerate(groups) for row in _of(rows, each)]
    figure = Figure(figsize=(8, 1 + 0.28 * len(bars) + 0.2 * len(groups)), layout="constrained")
    axes = figure.subplots()
    labels = []
    for line, (place, row) in enumerate(bars):
        y = -line - 0.7 * place
        axes.barh(y, row.cpu, color=colours.get(row.way, "#d6604d"), height=0.8)
        axes.text(row.cpu, y, f" {row.cpu:.3g}", va="center", fontsize=7)
        labels.append((y, f"{row.job}, {_said(row.size)}: {row.way}"))
    axes.set_yticks([y for y, _ in labels], [label for _, label in labels], fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("CPU seconds, medians")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def _of(rows: list[Row], group: tuple[str, str]) -> list[Row]:
    return [row for row in rows if (row.job, row.size) == group]


def _ours(rows: list[Row], row: Row) -> Row | None:
    """Find crmkit's way to do the same."""
    same = {each.way: each for each in _of(rows, (row.job, row.size))}
    return same.get("crmkit") or same.get("summary")


def _said(size: str) -> str:
    names = {"sample": "CDNOW sample, 2,357", "cdnow": "CDNOW, 23,570"}
    return names.get(size) or f"{int(size):,}"

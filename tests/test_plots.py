"""Plots: one mark for each row, names unchanged, unknown values left blank."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import rc_context
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from crmkit import cohorts, plots
from crmkit._plots import canvas
from crmkit._words import formats
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MakeFrame

JANUARY, FEBRUARY = date(2024, 1, 1), date(2024, 2, 1)

TABLES: dict[str, dict[str, list[Any]]] = {
    "actions": {
        "action": ["send a reminder", "call now"],
        "n_customers": [665, 98],
        "value_at_risk": [8169.02, 17472.65],
    },
    "calibration": {
        "frequency": [0, 1, 2],
        "actual_purchases": [0.24, 0.70, 1.39],
        "predicted_purchases": [0.23, 0.52, 1.04],
    },
    "call_list": {
        "customer_id": ["ann", "ben", "cid"],
        "past_amount": [900.0, 2236.7, None],
        "value_at_risk": [450.0, 1292.7, None],
    },
    "concentration": {"customer_share": [0.2, 0.5, 1.0], "value_share": [0.7, 0.9, 1.0]},
    "cost_benefit": {
        "group": ["press", "shop"],
        "cost": [400.0, 500.0],
        "revenue": [1000.0, 300.0],
        "ratio": [2.5, 0.6],
    },
    "forecast_error": {
        "split": [JANUARY, JANUARY, JANUARY],
        "method": ["same rate", "bg_nbd", "never"],
        "purchases_error": [0.47, -0.14, None],
    },
    "gains": {"share": [0.2, 0.5, 1.0], "captured": [0.5, 0.8, 1.0], "perfect": [0.8, 1.0, 1.0]},
    "new_and_returning": {
        "cohort": [JANUARY, JANUARY, FEBRUARY, FEBRUARY],
        "period": [0, 1, 0, 1],
        "starts": [JANUARY, FEBRUARY, FEBRUARY, date(2024, 3, 1)],
        "ends": [date(2024, 1, 31), date(2024, 2, 29), date(2024, 2, 29), date(2024, 3, 31)],
        "is_complete": [True, False, False, False],
        "cohort_size": [5, 5, 3, 3],
        "customers": [5.0, 2.0, 3.0, None],
    },
    "rankings": {
        "origin": [JANUARY, FEBRUARY, JANUARY, FEBRUARY, JANUARY],
        "question": ["who buys nothing"] * 4 + ["money lost"],
        "method": ["recency", "recency", "churn risk", "churn risk", "past money"],
        "is_default": [False, False, True, True, False],
        "n_customers": [100, 120, 100, 120, 60],
        "auc": [0.7, 0.72, 0.75, 0.79, None],
        "brier": [None, None, 0.13, 0.12, None],
        "risk_error": [None, None, 0.03, 0.02, None],
        "captured_share": [None, None, None, None, 0.3],
    },
    "reliability": {
        "bin": [2, 1],
        "n_customers": [400, 400],
        "said": [0.7, 0.2],
        "happened": [0.58, 0.25],
        "low": [0.54, 0.19],
        "high": [0.62, 0.27],
    },
    "profit_curve": {
        "share": [0.0, 0.5, 1.0],
        "profit": [0.0, 56.0, -45.0],
        "is_best": [False, True, False],
    },
    "retention_curve": {
        "period": [0, 1, 2, 3],
        "retention_rate": [1.0, 0.3, 0.2, None],
        "lower": [0.96, 0.22, 0.13, None],
        "upper": [1.0, 0.40, 0.29, None],
    },
    "retention_heatmap": {
        "cohort": [JANUARY, JANUARY, JANUARY, FEBRUARY, FEBRUARY, FEBRUARY],
        "period": [0, 1, 2, 0, 1, 2],
        "cohort_size": [5, 5, 5, 3, 3, 3],
        "is_complete": [True, True, True, True, True, False],
        "retention_rate": [1.0, 0.4, 0.2, 1.0, 0.0, None],
        "lower": [0.6, 0.1, 0.0, 0.4, 0.0, None],
        "upper": [1.0, 0.8, 0.6, 1.0, 0.6, None],
    },
    "revenue": {
        "starts": [JANUARY, FEBRUARY],
        "ends": [date(2024, 1, 31), date(2024, 2, 29)],
        "is_complete": [True, False],
        "orders": [120, 90],
        "amount": [2400.0, 1980.0],
    },
    "flow": {
        "date": [date(2024, 1, 31)] * 4,
        "next_date": [date(2024, 2, 29)] * 4,
        "from_stage": ["active", "active", "lost", "appeared"],
        "to_stage": ["active", "lost", "returned", "new"],
        "n_customers": [50, 10, 4, 6],
        "share": [0.83, 0.17, 1.0, None],
    },
    "rfm_grid": {"r_score": [5, 5, 1, None], "f_score": [5, 5, 2, None]},
    "segments": {
        "segment": ["Lost", "Champions"],
        "n_customers": [3, 1],
        "customer_share": [0.75, 0.25],
        "amount_share": [0.1, 0.9],
    },
    "stages": {
        "stage": ["lost", "active"],
        "stage_order": [7, 3],
        "n_customers": [60, 40],
        "customer_share": [0.6, 0.4],
        "amount_share": [0.2, 0.8],
    },
    "survival": {
        "duration": [10.0, 20.0, 30.0],
        "n_risk": [4, 3, 2],
        "n_event": [1, 1, 2],
        "n_censored": [0, 0, 0],
        "survival": [0.75, 0.5, 0.0],
        "lower": [0.13, 0.06, None],
        "upper": [0.96, 0.84, None],
    },
    "tiers": {
        "tier": ["silver", "gold", None],
        "cut": [None, 500.0, None],
        "n_customers": [75, 20, 5],
        "customer_share": [0.75, 0.2, 0.05],
        "value_share": [0.3, 0.7, 0.0],
    },
    "totals": {
        "origin": [FEBRUARY, JANUARY, JANUARY],
        "quantity": ["money", "money", "purchases"],
        "method": ["model with misses"] * 3,
        "is_default": [True, True, True],
        "actual": [120.0, 90.0, 9.0],
        "predicted": [100.0, 99.0, 8.0],
        "lower": [70.0, 80.0, 7.0],
        "upper": [110.0, 120.0, 9.0],
        "error": [-1 / 6, 0.1, -1 / 9],
        "held": [0.0, 1.0, 1.0],
    },
}

# The title, the names in the order in which they are drawn, and how many marks there are.
EXPECTED: dict[str, tuple[str, list[str], int]] = {
    "actions": ("Value at risk by action", ["call now", "send a reminder"], 2),
    "calibration": ("Purchases per customer on held-out days", ["0", "1", "2"], 6),
    "call_list": ("Value at risk by customer", ["ben", "ann", "cid"], 6),
    "concentration": ("Share of the value from the best customers", [], 4),  # begins with nobody
    "cost_benefit": ("Cost and revenue", ["press", "shop"], 4),
    "forecast_error": (
        "Forecast error: number of purchases",
        ["bg_nbd", "same rate"],
        4,  # two bars, and the two ends of the line between too few and too many
    ),
    "gains": ("Share of all who left, by share contacted", [], 5),  # begins with nobody
    "new_and_returning": ("New and returning customers, by month", ["2024-01", "2024-02"], 4),
    "rankings": (
        "Who buys nothing: how well each method ranks",
        ["churn risk (crmkit)", "recency"],
        6,  # a bar for each method, and a dot for each origin
    ),
    "reliability": ("Churn risk: said, and what happened", [], 2),
    "profit_curve": ("Profit by share of customers contacted", [], 4),
    "retention_curve": ("Share of customers who bought again", ["1", "2"], 2),
    "retention_heatmap": (
        "Percent of each cohort that bought again",
        ["2024-01 (5 customers)", "2024-02 (3 customers)"],
        3,
    ),
    "revenue": ("Revenue by month", ["2024-01", "2024-02"], 2),
    "rfm_grid": ("Customers by recency and frequency score", ["1", "2", "3", "4", "5"], 2),
    "flow": ("Moves between stages: 10 down, 4 back", [], 11),
    "segments": ("Segments: share of customers and of money", ["Champions", "Lost"], 4),
    "stages": ("Stages: share of customers and of money", ["active", "lost"], 4),
    "survival": ("Contracts that run on", ["0", "6", "12", "18", "24", "30"], 4),
    "tiers": ("Tiers: share of customers and of value", ["gold", "silver", "\N{EN DASH}"], 6),
    "totals": (
        "Total money: forecast and what came",
        ["from 2024-01-01", "from 2024-02-01"],
        4,  # a bar and a point for each origin
    ),
}
ALL = sorted(TABLES)


def draw(name: str, table: Any, **options: Any) -> Any:
    return getattr(plots, name)(table, **options)


def names_of(axes: Any) -> list[list[str]]:
    axes.figure.draw_without_rendering()
    return [
        [label.get_text() for label in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis)
    ]


def n_marks(axes: Any) -> int:
    without_diagonal = [line for line in axes.lines if line.get_linestyle() != "--"]
    return len(axes.patches) + sum(len(line.get_xdata()) for line in without_diagonal)


def text_of(axes: Any) -> str:
    written = io.StringIO()
    with rc_context({"svg.fonttype": "none"}):
        axes.figure.savefig(written, format="svg")
    return written.getvalue()


def corner_of(patch: Any) -> tuple[float, float]:
    corner: tuple[float, float] = patch.get_xy()
    return corner


def height_of(patch: Any) -> float:
    height: float = patch.get_height()
    return height


# What is drawn


def test_every_public_plot_is_tested_here() -> None:
    assert plots.__all__ == ALL


@pytest.mark.parametrize("name", ALL)
def test_every_row_has_its_mark_and_its_name(make_frame: MakeFrame, name: str) -> None:
    axes = draw(name, make_frame(TABLES[name]))
    title, names, marks = EXPECTED[name]
    assert axes.get_title() == title
    assert not names or names in names_of(axes)
    assert n_marks(axes) == marks


@pytest.mark.parametrize("name", [name for name in ALL if name != "cost_benefit"])
def test_the_order_of_rows_changes_nothing(name: str) -> None:
    table = pl.DataFrame(TABLES[name], strict=False)
    one, other = draw(name, table), draw(name, table.reverse())
    assert names_of(one) == names_of(other)
    assert [t.get_text() for t in one.texts] == [t.get_text() for t in other.texts]


def test_a_cell_not_known_yet_stays_blank() -> None:
    axes = plots.retention_heatmap(pl.DataFrame(TABLES["retention_heatmap"], strict=False))
    corners = sorted(corner_of(patch) for patch in axes.patches)
    assert corners == [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5)]
    assert [text.get_text() for text in axes.texts] == ["40", "20", "0"]


def test_a_rate_that_may_still_change_is_hatched() -> None:
    orders = pl.DataFrame(
        {
            "customer_id": ["ann", "ben", "ann"],
            "date": [date(2024, 1, 1), date(2024, 1, 30), date(2024, 1, 20)],
        }
    )
    rates = cohorts.retention(
        orders, as_of=date(2024, 2, 10), windows=cohorts.bracket((1, 31)) + cohorts.rolling(5)
    )
    axes = plots.retention_heatmap(rates)
    assert names_of(axes)[0] == ["1\N{EN DASH}30", "5+"]
    assert all(patch.get_hatch() for patch in axes.patches)
    assert axes.get_xlabel() == "days since the first purchase"


def test_a_period_that_is_not_over_is_hatched() -> None:
    axes = plots.new_and_returning(pl.DataFrame(TABLES["new_and_returning"], strict=False))
    assert [bool(patch.get_hatch()) for patch in axes.patches] == [False, True, False, True]
    assert [height_of(patch) for patch in axes.patches] == [0, 2, 5, 3]


def test_the_smallest_forecast_error_is_highlighted_and_has_its_direction() -> None:
    axes = plots.forecast_error(pl.DataFrame(TABLES["forecast_error"], strict=False))
    assert [text.get_text() for text in axes.texts] == ["14% too few", "47% too many"]
    assert [patch.get_facecolor()[:3] for patch in axes.patches] == [
        to_rgb(canvas.BLUE),
        to_rgb(canvas.GREY),
    ]


def test_segments_without_money_are_drawn_by_customers_alone() -> None:
    axes = plots.segments(pl.DataFrame(TABLES["segments"]).drop("amount_share"))
    assert axes.get_title() == "Segments: share of customers"
    assert names_of(axes)[1] == ["Lost", "Champions"]
    assert len(axes.patches) == 2


def test_actions_without_a_value_at_risk_are_drawn_by_customers() -> None:
    axes = plots.actions(pl.DataFrame(TABLES["actions"]).drop("value_at_risk"))
    assert axes.get_title() == "Customers by action"
    assert names_of(axes)[1] == ["send a reminder", "call now"]
    assert [text.get_text() for text in axes.texts] == ["665 customers", "98 customers"]


@pytest.mark.parametrize(
    ("currency", "text"),
    [
        ("EUR", "17,473 EUR with 98 customers, 178 EUR each"),
        ("kr", "17,473 kr with 98 customers, 178 kr each"),
        ("\N{EURO SIGN}", "\N{EURO SIGN}17,473 with 98 customers, \N{EURO SIGN}178 each"),
        ("R$", "R$17,473 with 98 customers, R$178 each"),
    ],
)
def test_a_sign_stands_before_an_amount_and_a_code_after_it(currency: str, text: str) -> None:
    axes = plots.actions(pl.DataFrame(TABLES["actions"]), currency=currency)
    assert axes.texts[0].get_text() == text
    minus = "\N{MINUS SIGN}"
    assert formats.money(-5, currency="EUR") == f"{minus}5.00 EUR"
    assert formats.money(-5, currency="$") == f"{minus}$5.00"


@pytest.mark.parametrize(
    ("every", "name"), [("year", "2024"), ("quarter", "2024-Q1"), ("week", "2024-01-01")]
)
def test_cohorts_are_named_by_their_period(every: Any, name: str) -> None:
    table = pl.DataFrame(TABLES["retention_heatmap"], strict=False)
    axes = plots.retention_heatmap(table, every=every)
    assert names_of(axes)[1][0] == f"{name} (5 customers)"
    assert axes.get_xlabel() == f"{every}s since the first purchase"


def test_names_are_drawn_as_they_are_and_dollar_signs_are_no_formula() -> None:
    table = pl.DataFrame({**TABLES["actions"], "action": ["$\\frac$ & $x_2$", "<b>two\nlines</b>"]})
    drawn = text_of(plots.actions(table, currency="$"))
    assert ">$\\frac$ &amp; $x_2$<" in drawn
    assert ">&lt;b&gt;two lines&lt;/b&gt;<" in drawn
    assert ">$17,473 with 98 customers, $178 each<" in drawn


@given(st.floats(0, 1))
def test_numbers_can_be_read_on_every_cell(depth: float) -> None:
    axes = Figure().subplots()
    ink = canvas.draw_cell(axes, (0, 0), depth=depth)
    colors = (to_rgb(ink), to_rgb(axes.patches[0].get_facecolor()))
    dark, light = sorted(_luminance(color) for color in colors)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, level AA


def _luminance(color: tuple[float, float, float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(st.floats(-1e12, 1e12))
def test_written_numbers_read_back_as_what_they_were(value: float) -> None:
    text = formats.money(value).replace(",", "").replace("\N{MINUS SIGN}", "-")
    assert float(text) == pytest.approx(value, abs=0.5 if abs(value) >= 1000 else 0.005, rel=1e-11)
    assert "-0" not in text or float(text) != 0


# Where it is drawn


@pytest.mark.parametrize("name", ALL)
def test_given_axes_are_drawn_on_and_given_back(name: str) -> None:
    mine = Figure().subplots()
    assert draw(name, pl.DataFrame(TABLES[name], strict=False), ax=mine) is mine


@pytest.mark.parametrize("name", ALL)
def test_an_empty_table_says_so(name: str) -> None:
    empty = pl.DataFrame(TABLES[name], strict=False).clear()
    axes = draw(name, empty)
    assert [text.get_text() for text in axes.texts] == ["no rows"]
    assert axes.get_title() != ""


@pytest.mark.parametrize("name", ALL)
def test_a_single_row_is_drawn_without_a_warning(name: str) -> None:
    table = pl.DataFrame(TABLES[name], strict=False)
    for row in range(len(table)):
        assert "<svg" in text_of(draw(name, table[row]))


def test_nothing_is_loaded_before_a_picture_is_drawn_and_pyplot_never() -> None:
    code = (
        "import sys, crmkit.plots as plots, polars as pl; early = 'matplotlib' in sys.modules; "
        "plots.concentration(pl.DataFrame({'customer_share': [1.0], 'value_share': [1.0]})); "
        "sys.exit(early or 'matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Refusals


def test_a_missing_column_is_named() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        plots.concentration(pl.DataFrame({"customer_share": [1.0]}))
    assert str(caught.value) == (
        "concentration: no column `value_share` among `customer_share`.\n"
        "Build this table with crmkit.tiers.concentration()."
    )


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(InvalidRowsError) as caught:
        plots.concentration(
            pl.DataFrame({"customer_share": [0.5, 20.0], "value_share": [0.7, 1.0]})
        )
    assert str(caught.value) == (
        "concentration: `customer_share` is above 1 in 1 of 2 rows (row 1).\n"
        "Build this table with crmkit.tiers.concentration()."
    )


@pytest.mark.parametrize("plot", [plots.retention_heatmap, plots.retention_curve])
def test_retention_without_a_window_is_refused(plot: Callable[..., Any]) -> None:
    table = pl.DataFrame(TABLES["retention_heatmap"], strict=False).drop("period")
    with pytest.raises(MissingColumnsError) as caught:
        plot(table)
    maker = "cohorts.retention" if plot is plots.retention_heatmap else "cohorts.pooled"
    assert str(caught.value) == (
        f"retention: no column `period` or `from_day`.\nBuild this table with crmkit.{maker}()."
    )


@pytest.mark.parametrize(("most", "shown"), [(0, "0"), (1.5, "1.5"), ("x", "'x'"), (None, "None")])
@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("call_list", "Write 10 for ten customers."),
        ("calibration", "Write 7, the default of both functions."),
    ],
)
def test_most_is_a_whole_number_of_1_or_more(name: str, advice: str, most: Any, shown: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        draw(name, pl.DataFrame(TABLES[name]), most=most)
    assert str(caught.value) == (
        f"`most` must be a whole number of 1 or more, got {shown}.\n{advice}"
    )


def test_the_call_list_draws_the_most_valuable_customers_only() -> None:
    axes = plots.call_list(pl.DataFrame(TABLES["call_list"]), most=2)
    assert names_of(axes)[1] == ["ben", "ann"]


@pytest.mark.parametrize("name", ["retention_curve", "retention_heatmap", "new_and_returning"])
@pytest.mark.parametrize(
    ("every", "advice"), [("moon", "\nDid you mean 'month'?"), ("fortnight", ""), (7, "")]
)
def test_an_unknown_period_is_refused(name: str, every: Any, advice: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        draw(name, pl.DataFrame(TABLES[name], strict=False), every=every)
    assert str(caught.value) == (
        f"`every` must be one of 'day', 'week', 'month', 'quarter', 'year', got {every!r}.{advice}"
    )


def test_a_sankey_shows_the_last_four_dates_and_says_so() -> None:
    days = [date(2024, month, 1) for month in range(1, 8)]
    table = pl.DataFrame(
        {
            "date": days[:-1],
            "next_date": days[1:],
            "from_stage": ["active"] * 6,
            "to_stage": ["active"] * 6,
            "n_customers": [5] * 6,
            "share": [1.0] * 6,
        }
    )
    ax = plots.flow(table)
    shown = [label.get_text() for label in ax.get_xticklabels()]
    assert shown == ["2024-04-01", "2024-05-01", "2024-06-01", "2024-07-01"]
    assert ax.get_xlabel().endswith("; 3 earlier dates left out")


def test_the_names_of_a_sankey_do_not_stand_on_each_other() -> None:
    stages = ["growing", "active", "returned", "new", "prospect", "at risk", "lapsing", "lost"]
    day, later = date(2024, 1, 31), date(2024, 2, 29)
    table = pl.DataFrame(
        [(day, later, stage, stage, 1 if stage != "lost" else 10**6, 1.0) for stage in stages],
        schema=["date", "next_date", "from_stage", "to_stage", "n_customers", "share"],
        orient="row",
    )
    ax = plots.flow(table)
    left: list[Any] = list(ax.texts[:8])
    heights = sorted(text.xy[1] for text in left)
    assert min(b - a for a, b in pairwise(heights)) >= 0.05
    assert 0 <= heights[0] <= heights[-1] <= 1

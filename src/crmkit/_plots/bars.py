"""Bar charts: actions, call list, segments, stages, tiers, cost and revenue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from narwhals.typing import IntoFrame

from crmkit import tables
from crmkit._door import frames
from crmkit._door.frames import Row
from crmkit._plots import canvas
from crmkit._words import formats
from crmkit._words.arguments import require_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OVERDUE: Final = ("at risk", "lapsing")
_HEIGHT_OF_A_ROW: Final = 0.42
_BAR: Final = 0.34
_THIN: Final = 0.2
_ABOVE_BAR: Final = 0.42


def actions(action_summary: IntoFrame, *, ax: Axes | None = None, currency: str = "") -> Axes:
    """Bar chart of the value at risk by recommended action.

    Parameters
    ----------
    action_summary
        One row per action: `actions` of the result of `crmkit.pipeline.run`; without a value at
        risk, customers are drawn.
    ax
        The Axes to draw on; by default a new figure.
    currency
        Currency of the amounts: a sign such as "$", or a code such as "EUR".

    Returns
    -------
    The Axes: one bar per action with its value at risk, the longest first.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "action": ["call now", "send a reminder"],
    ...         "n_customers": [98, 665],
    ...         "value_at_risk": [17472.65, 8169.02],
    ...     }
    ... )
    >>> axes = actions(table)
    >>> axes.get_title()
    'Value at risk by action'
    >>> [text.get_text() for text in axes.texts]
    ['17,473 with 98 customers, 178 each', '8,169 with 665 customers, 12 each']
    """
    rows = frames.read_rows(action_summary, tables.ACTION_SUMMARY)
    has_value = not rows or "value_at_risk" in rows[0]
    by = "value_at_risk" if has_value else "n_customers"
    rows.sort(key=lambda row: (-(row[by] or 0), str(row["action"])))
    title = f"{'Value at risk' if has_value else 'Customers'} by action"
    ax = canvas.start(ax, title=title, height=_height(rows))
    if not rows:
        return canvas.say_empty(ax)
    values = [row[by] or 0.0 for row in rows]
    ax.barh(range(len(rows)), values, height=_BAR, color=canvas.BLUE)
    for i, row in enumerate(rows):
        n = formats.counted(row["n_customers"], "customer")
        text = _value_at_risk(row, currency=currency) if has_value else n
        canvas.write(ax, (max(values[i], 0), i), text)
    canvas.name_rows(ax, [row["action"] for row in rows], above=_ABOVE_BAR)
    return _without_scale(ax, values, room=2.0)


def call_list(
    call_list: IntoFrame, *, most: int = 10, ax: Axes | None = None, currency: str = ""
) -> Axes:
    """Bar chart of past money and value at risk of customers to call.

    Parameters
    ----------
    call_list
        One row per customer: `call_list` of the result of `crmkit.pipeline.run`.
    most
        The largest number of customers to draw.
    ax
        The Axes to draw on; by default a new figure.
    currency
        Currency of the amounts: a sign such as "$", or a code such as "EUR".

    Returns
    -------
    The Axes: for each customer a bar of their money of the last horizon, and over it the value
    at risk.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.
    InvalidArgumentError
        If `most` is not a whole number of 1 or more.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "customer_id": ["ann", "ben"],
    ...         "past_amount": [2236.7, 900.0],
    ...         "value_at_risk": [1292.7, 450.0],
    ...     }
    ... )
    >>> axes = call_list(table)
    >>> axes.get_title()
    'Value at risk by customer'
    >>> [text.get_text() for text in axes.texts]
    ['1,293 of 2,237 at risk', '450 of 900 at risk']
    """
    require_whole(most, argument="most", least=1, advice="Write 10 for ten customers.")
    rows = frames.read_rows(call_list, tables.CALL_LIST)
    rows.sort(key=lambda row: (-(row["value_at_risk"] or 0), str(row["customer_id"])))
    rows = rows[: int(most)]
    title = "Value at risk by customer"
    ax = canvas.start(ax, title=title, height=_height(rows))
    if not rows:
        return canvas.say_empty(ax)
    brought = [row.get("past_amount") or 0.0 for row in rows]
    at_risk = [row["value_at_risk"] or 0.0 for row in rows]
    ax.barh(range(len(rows)), brought, height=_BAR, color=canvas.PALE)
    ax.barh(range(len(rows)), at_risk, height=_BAR, color=canvas.VERMILLION)
    lengths = [max(*each, 0.0) for each in zip(brought, at_risk, strict=True)]
    digits = 0 if max(lengths) >= 1000 else 2  # noqa: PLR2004 - cents matter below
    for i, row in enumerate(rows):
        part = formats.money(row["value_at_risk"], currency=currency, digits=digits)
        whole = formats.money(brought[i], currency=currency, digits=digits)
        of_past = f" of {whole}" if brought[i] > 0 else ""  # else it is of expected money
        canvas.write(ax, (lengths[i], i), f"{part}{of_past} at risk")
    canvas.name_rows(ax, [row["customer_id"] for row in rows], above=_ABOVE_BAR)
    return _without_scale(ax, lengths, room=1.6)


def segments(segment_summary: IntoFrame, *, ax: Axes | None = None) -> Axes:
    """Bar chart of each segment's share of customers and of money.

    Parameters
    ----------
    segment_summary
        One row per segment, as made by `crmkit.rfm.segment_summary`; without amounts, only
        customers are drawn.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: two bars per segment, the segment with most money first.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "segment": ["Champions", "Lost"],
    ...         "n_customers": [1, 3],
    ...         "customer_share": [0.25, 0.75],
    ...         "amount_share": [0.9, 0.1],
    ...     }
    ... )
    >>> axes = segments(table)
    >>> axes.get_title()
    'Segments: share of customers and of money'
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['Champions', 'Lost']
    """
    rows = frames.read_rows(segment_summary, tables.SEGMENT_SUMMARY)
    by = "amount_share" if any(row.get("amount_share") is not None for row in rows) else ""
    rows.sort(key=lambda row: (-(row.get(by) or 0), -row["n_customers"], str(row["segment"])))
    return _paired(ax, rows, name="segment", value=by, what="Segments")


def stages(stage_summary: IntoFrame, *, ax: Axes | None = None) -> Axes:
    """Bar chart of each life-cycle stage's share of customers and of money.

    Parameters
    ----------
    stage_summary
        One row per stage, as made by `crmkit.lifecycle.stage_summary`; without amounts, only
        customers are drawn.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: two bars per stage in the order of the life cycle; the money of the overdue stages
    ("at risk" and "lapsing") is highlighted.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "stage": ["active", "lost"],
    ...         "stage_order": [3, 7],
    ...         "n_customers": [40, 60],
    ...         "customer_share": [0.4, 0.6],
    ...         "amount_share": [0.8, 0.2],
    ...     }
    ... )
    >>> axes = stages(table)
    >>> axes.get_title()
    'Stages: share of customers and of money'
    >>> len(axes.patches)
    4
    """
    rows = frames.read_rows(stage_summary, tables.STAGE_SUMMARY)
    rows.sort(key=lambda row: (row["stage_order"], str(row["stage"])))
    by = "amount_share" if any(row.get("amount_share") is not None for row in rows) else ""
    return _paired(ax, rows, name="stage", value=by, what="Stages", highlighted=_OVERDUE)


def tiers(tier_summary: IntoFrame, *, ax: Axes | None = None) -> Axes:
    """Bar chart of each tier's share of customers and of value.

    Parameters
    ----------
    tier_summary
        One row per tier, as made by `crmkit.tiers.summary`.
    ax
        The Axes to draw on; by default a new figure.

    Returns
    -------
    The Axes: two bars per tier, the highest first, customers of unknown value last.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "tier": ["gold", "silver"],
    ...         "cut": [500.0, None],
    ...         "n_customers": [20, 80],
    ...         "customer_share": [0.2, 0.8],
    ...         "value_share": [0.7, 0.3],
    ...     }
    ... )
    >>> axes = tiers(table)
    >>> axes.get_title()
    'Tiers: share of customers and of value'
    >>> [text.get_text() for text in axes.texts][:2]
    ['20% of the customers', '70% of the value']
    """
    rows = frames.read_rows(tier_summary, tables.TIER_SUMMARY)
    rows.sort(key=lambda row: (row["tier"] is None, row["cut"] is None, -(row["cut"] or 0)))
    return _paired(ax, rows, name="tier", value="value_share", what="Tiers", worth="value")


def cost_benefit(groups: IntoFrame, *, ax: Axes | None = None, currency: str = "") -> Axes:
    """Bar chart of cost and revenue of each group.

    Parameters
    ----------
    groups
        One row per group: `groups` of the result of `crmkit.economics.cost_benefit`.
    ax
        The Axes to draw on; by default a new figure.
    currency
        Currency of the amounts: a sign such as "$", or a code such as "EUR".

    Returns
    -------
    The Axes: two bars per group in the order of the table; revenue below cost is highlighted.

    Raises
    ------
    MissingColumnsError, InvalidRowsError
        If the table lacks a column, or a number is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmkit import economics
    >>> items = pd.DataFrame(
    ...     {"item": ["visits", "sales"], "kind": ["cost", "revenue"], "amount": [400.0, 1000.0]}
    ... )
    >>> axes = cost_benefit(economics.cost_benefit(items).groups)
    >>> axes.get_title()
    'Cost and revenue'
    >>> [text.get_text() for text in axes.texts]
    ['cost 400.00', 'revenue 1,000, 2.50 per 1 of cost']
    """
    rows = frames.read_rows(groups, tables.COST_GROUPS)
    ax = canvas.start(ax, title="Cost and revenue", height=_height(rows, thick=1.3))
    if not rows:
        return canvas.say_empty(ax)
    for i, row in enumerate(rows):
        covered = row["revenue"] >= row["cost"]
        colors = (canvas.GREY, canvas.BLUE if covered else canvas.VERMILLION)
        ratio = row["ratio"]
        gain = "" if ratio is None else f", {formats.decimal(ratio)} per 1 of cost"
        texts = (
            f"cost {formats.money(row['cost'], currency=currency)}",
            f"revenue {formats.money(row['revenue'], currency=currency)}{gain}",
        )
        _two_bars(ax, i, (row["cost"], row["revenue"]), texts, colors)
    canvas.name_rows(ax, [row["group"] for row in rows], above=_ABOVE_BAR)
    return _without_scale(ax, [max(row["cost"], row["revenue"]) for row in rows], room=1.8)


def _paired(
    ax: Axes | None,
    rows: Sequence[Row],
    *,
    name: str,
    value: str,
    what: str,
    worth: str = "money",
    highlighted: Collection[str] = (),
) -> Axes:
    """Draw two shares for each row; the labels of the first row name the totals."""
    title = f"{what}: share of customers" + (f" and of {worth}" if value else "")
    ax = canvas.start(ax, title=title, height=_height(rows, thick=1.25 if value else 1.0))
    if not rows:
        return canvas.say_empty(ax)
    for i, row in enumerate(rows):
        of = [" of the customers", f" of the {worth}"] if i == 0 else ["", ""]
        shares = [row["customer_share"], *([row[value]] if value else [])]
        texts = [formats.percent(share) + of[place] for place, share in enumerate(shares)]
        is_highlighted = row[name] in highlighted
        colors = [canvas.GREY, canvas.VERMILLION if is_highlighted else canvas.BLUE]
        _two_bars(ax, i, shares, texts, colors)
    canvas.name_rows(ax, [row[name] for row in rows], above=_ABOVE_BAR)
    drawn = [row[each] or 0.0 for row in rows for each in ("customer_share", value) if each]
    return _without_scale(ax, drawn, room=1.45)


def _two_bars(
    ax: Axes, i: int, values: Sequence[float | None], texts: Sequence[str], colors: Sequence[str]
) -> None:
    """Draw one or two thin bars below a name, each with its number."""
    for place, (value, text, color) in enumerate(zip(values, texts, colors, strict=False)):
        y = i - 0.1 + place * (_THIN + 0.04)
        ax.barh(y, value or 0.0, height=_THIN, color=color)
        dark = canvas.FAINT if color == canvas.GREY else color
        canvas.write(ax, (max(value or 0.0, 0.0), y), text, color=dark)


def _value_at_risk(row: Row, *, currency: str) -> str:
    n, value = row["n_customers"], row["value_at_risk"]
    text = f"{formats.money(value, currency=currency)} with {formats.counted(n, 'customer')}"
    if value is None or n <= 1:
        return text
    each = value / n
    digits = 2 if abs(each) < 10 else 0  # noqa: PLR2004 - two figures are enough to compare
    return f"{text}, {formats.money(each, currency=currency, digits=digits)} each"


def _height(rows: Sequence[Row], *, thick: float = 1.0) -> float:
    return 0.55 + max(len(rows), 1) * _HEIGHT_OF_A_ROW * thick


def _without_scale(ax: Axes, values: Sequence[float], *, room: float) -> Axes:
    """Leave room for the numbers beside the bars; they replace the scale."""
    low, high = min(0.0, *values), max(0.0, *values)
    ax.set_xlim(low, low + (high - low or 1.0) * room)
    ax.set_xticks([])
    return ax

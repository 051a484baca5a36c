"""An experiment: who was treated how, what they did, and who was not treated for comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import narwhals as nw
from narwhals.typing import IntoFrame

from crmkit._door import frames
from crmkit._words.arguments import require_column_name, require_list, shown
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import Column, Table
from crmkit.tables.contracts import NOT_MADE

ARM: Final = "crmkit_arm"
OUTCOME: Final = "crmkit_outcome"
AMOUNT: Final = "crmkit_amount"

_FEW: Final = 20


def read(
    experiment: IntoFrame,
    *,
    treated: str,
    outcome: str,
    amount: str | None = None,
    numbers: Sequence[str] = (),
    others: Sequence[str] = (),
) -> frames.Frame:
    """Read an experiment, with the treatment as text and the outcome as a number."""
    require_column_name(treated, argument="treated")
    require_column_name(outcome, argument="outcome")
    if amount is not None:
        require_column_name(amount, argument="amount")
    columns = [Column(treated, "key", "treatment", made_by=NOT_MADE)]
    columns += [Column(name, "number", name, nullable=True, made_by=NOT_MADE) for name in numbers]
    columns += [Column(name, "key", name, nullable=True, made_by=NOT_MADE) for name in others]
    columns.append(Column(outcome, "key", "what happened", made_by=NOT_MADE))
    if amount is not None:
        columns.append(Column(amount, "number", "money", nullable=True, made_by=NOT_MADE))
    unique = {column.name: column for column in reversed(columns)}
    table = Table(
        name="experiment", row="one customer", made_by=NOT_MADE, columns=tuple(unique.values())
    )
    frame = frames.read(experiment, table)
    schema = frame.collect_schema()
    steps: dict[str, nw.Expr] = {ARM: _as_text(treated, schema[treated])}
    steps[OUTCOME] = as_number(outcome, schema[outcome])
    if amount is not None:
        known = frames.known(amount)
        steps[AMOUNT] = nw.when(known.is_null()).then(nw.lit(0.0)).otherwise(known)
    return frames.with_columns(frame, **steps)


def control_of(arms: Sequence[str], control: object, *, treated: str) -> str:
    """Find the treatment that means none: the one named, or False or 0."""
    arms = list(arms)
    if control is None:
        name = next((each for each in arms if each in _NONE), None)
    else:
        name = _written(control)
    if name is None or name not in arms:
        listed = ", ".join(arms[:_FEW])
        if control is None:
            msg = (
                f"experiment: `{treated}` has no customers without treatment (its values: {listed}"
                ").\nWithout a control group nobody knows what would have happened anyway; name "
                "the value that means no treatment with `control`."
            )
        else:
            msg = f"experiment: `{treated}` is never {shown(control)} (its values: {listed})."
        raise InvalidArgumentError(msg)
    if arms == [name]:
        msg = (
            f"experiment: `{treated}` is {name} for everybody; nobody was treated.\n"
            "Give the customers of both groups."
        )
        raise InvalidArgumentError(msg)
    return name


def one_treatment(arms: Iterable[str], control: object, *, treated: str) -> tuple[str, str]:
    """Find the one treatment, and the value that means none."""
    known = sorted(set(arms))
    name = control_of(known, control, treated=treated)
    others = [arm for arm in known if arm != name]
    if len(others) > 1:
        msg = (
            f"experiment: `{treated}` has {len(others)} treatments ({', '.join(others)}).\n"
            "Keep one of them and the control group, and look at each treatment alone."
        )
        raise InvalidArgumentError(msg)
    return others[0], name


def require_both(cells: Sequence[dict[str, Any]], group: str, *, by: str, control: str) -> None:
    """Require a control group in each segment, and somebody treated."""
    arms: dict[str, set[str]] = {}
    for row in cells:
        arms.setdefault(row[group], set()).add(row[ARM])
    values = list(arms)
    alone = [value for value, found in arms.items() if control not in found]
    untreated = [value for value, found in arms.items() if found == {control}]
    for bad, what in ((alone, "no control group"), (untreated, "nobody who was treated")):
        if bad:
            first = ", ".join(map(repr, sorted(map(str, bad))[:5]))
            msg = (
                f"experiment: {what} in {len(bad)} of {len(values)} values of `{by}` ({first}).\n"
                "Leave these out, or compare without `by`."
            )
            raise InvalidRowsError(msg, n_rows=len(bad), examples=tuple(bad[:5]))


_NONE: Final = ("0", "False")


def _written(control: object) -> str:
    if isinstance(control, bool):
        return str(control)
    if isinstance(control, float) and control.is_integer():
        return str(int(control))
    return str(control)


def _as_text(name: str, dtype: Any) -> nw.Expr:  # noqa: ANN401 - a data type of narwhals
    column = nw.col(name)
    if dtype == nw.Boolean:
        return nw.when(column).then(nw.lit("True")).otherwise(nw.lit("False"))
    if dtype.is_float():
        return column.cast(nw.Int64).cast(nw.String)
    return column.cast(nw.String)


def as_number(name: str, dtype: Any) -> nw.Expr:  # noqa: ANN401 - as above
    """Give a flag or a number as a number."""
    if not (dtype == nw.Boolean or dtype.is_numeric()):
        msg = (
            f"experiment: `{name}` has type {dtype}; expected a number or a flag.\n"
            "Give 1 for those who did and 0 for those who did not."
        )
        raise InvalidArgumentError(msg)
    return frames.as_number(name, dtype)


def require_names(names: object, *, argument: str) -> tuple[str, ...]:
    """Require a list of columns, maybe empty."""
    listed = require_list(names, argument=argument, example='["recency", "total_amount"]')
    for name in listed:
        require_column_name(name, argument=argument)
    return tuple(listed)

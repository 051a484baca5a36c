"""How long contracts were followed and whether they ended, from dates or from durations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
from narwhals.typing import IntoFrame

from crmkit._clv.contracts import histories
from crmkit._door import frames, time
from crmkit._door.frames import Floats
from crmkit._words.arguments import require_column_name
from crmkit.errors import InvalidArgumentError, InvalidRowsError
from crmkit.tables import CONTRACTS, DURATIONS, Column, Table
from crmkit.tables.contracts import NOT_MADE
from crmkit.typing import Period

Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[Any]

DURATION: Final = "crmkit_duration"
ENTRY: Final = "crmkit_entry"
EVENT: Final = "crmkit_event"

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Spells:
    """Distinct histories: how long, seen from when, whether ended, and how many of each."""

    duration: Floats
    entry: Floats
    event: Flags
    n: Floats
    keys: Mapping[str, Texts]

    def __len__(self) -> int:
        """Count the distinct histories."""
        return len(self.duration)

    def where(self, rows: Flags) -> Spells:
        """Keep some of the histories."""
        keys = {name: values[rows] for name, values in self.keys.items()}
        return Spells(self.duration[rows], self.entry[rows], self.event[rows], self.n[rows], keys)

    def ended_by(self, event: Flags) -> Spells:
        """Take other ends for the event."""
        return Spells(self.duration, self.entry, event, self.n, self.keys)

    def groups(self, key: str) -> dict[str, Spells]:
        """Divide the histories by a key, in the order of its values; all are one without it."""
        if key not in self.keys:
            return {"all": self}
        values = self.keys[key]
        return {name: self.where(values == name) for name in sorted(set(values.tolist()))}


def read(
    contracts: IntoFrame,
    *,
    as_of: date | str | None,
    observed_from: date | str | None = None,
    keys: Mapping[str, str | None] | None = None,
    every: Period | None = None,
) -> tuple[frames.Frame, Spells]:
    """Read histories, with the columns that `keys` names by argument, each as text.

    Durations of contracts are days, or whole periods from each contract's first day.
    """
    named = {argument: name for argument, name in (keys or {}).items() if name is not None}
    for argument, name in named.items():
        require_column_name(name, argument=argument)
    columns = [
        Column(name, "key", "group", nullable=True, made_by=NOT_MADE) for name in named.values()
    ]
    frame, parts = followed(
        contracts, as_of=as_of, observed_from=observed_from, columns=columns, every=every
    )
    return frame, _spells([_counted(part, named) for part in parts], named)


def followed(
    contracts: IntoFrame,
    *,
    as_of: date | str | None,
    observed_from: date | str | None,
    columns: Sequence[Column],
    every: Period | None = None,
) -> tuple[frames.Frame, Sequence[frames.Frame]]:
    """Append DURATION, ENTRY and EVENT to contracts, in one or two parts.

    An entry below 0 is none.
    """
    first = None if observed_from is None else time.as_day(observed_from, argument="observed_from")
    schema = frames.open_table(contracts, CONTRACTS).collect_schema()
    if "duration" in schema and "start" not in schema:
        _refuse_dates(as_of=as_of, observed_from=observed_from)
        frame = frames.read(contracts, _with_columns(DURATIONS, columns))
        return frame, [_of_durations(frame)]
    frame = frames.read(contracts, _with_columns(CONTRACTS, columns))
    if as_of is None:
        msg = (
            "`as_of` is missing: contracts have dates.\n"
            "Give the last day of the data, or a table with `duration` and `event`."
        )
        raise InvalidArgumentError(msg)
    day = time.as_day(as_of, argument="as_of")
    return frame, _of_contracts(frame, day, first, every=every)


def require_groups(spells: Spells, *, least: int = 2, by: str) -> list[str]:
    """Require that there is something to compare."""
    groups = list(spells.groups("by"))
    if len(groups) < least:
        msg = f"contracts: `{by}` is {groups[0]!r} in all rows.\nGive contracts of two groups."
        raise InvalidArgumentError(msg)
    return groups


def _with_columns(table: Table, columns: Sequence[Column]) -> Table:
    more = {each.name: each for each in columns if each.name not in table.column_names}
    return Table(
        name=table.name,
        row=table.row,
        made_by=table.made_by,
        columns=(*table.columns, *more.values()),
        rules=table.rules,
    )


def _of_durations(frame: frames.Frame) -> frames.Frame:
    dtype = frame.collect_schema()["event"]
    if not (dtype == nw.Boolean or dtype.is_numeric()):
        msg = (
            f"durations: `event` has type {dtype}; expected a flag, or 0 and 1.\n"
            "Give 1 for contracts that ended and 0 for those that still ran."
        )
        raise InvalidArgumentError(msg)
    steps = {
        DURATION: frames.known("duration"),
        ENTRY: frames.known("entry") if frames.has(frame, "entry") else nw.lit(-1.0),
        EVENT: frames.as_number("event", dtype),
    }
    return frames.with_columns(frame, **steps)


def _of_contracts(
    frame: frames.Frame, as_of: date, first: date | None, *, every: Period | None
) -> Sequence[frames.Frame]:
    """Count days or whole periods; a loss in a period counts once the period is over."""
    seen = frame.filter(time.until(frame, as_of, column="start"))
    over = time.until(seen, as_of, column="end")
    ended = seen.filter(~nw.col("end").is_null(), over)
    others = seen.filter(nw.col("end").is_null() | ~over)
    start = time.day_number(frame, "start")
    days, until = time.day_number(frame, "end") - start, nw.lit(time.number_of(as_of)) - start
    entry = nw.lit(-1) if first is None else nw.lit(time.number_of(first) - 1) - start
    is_over, never = nw.lit(1.0), nw.lit(0.0)
    if every is not None:
        begun = histories.periods_to_end(ended, every=every)
        until = histories.periods_until(frame, as_of, every=every)
        is_over = nw.when(begun <= until).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
        in_periods = nw.when(begun <= until).then(begun).otherwise(until)
        days = nw.when(days < 0).then(days).otherwise(in_periods)  # refused once it is collected
        entry = entry if first is None else histories.periods_begun(frame, first, every=every)
    return [
        frames.with_columns(ended, **{DURATION: days, ENTRY: entry, EVENT: is_over}),
        frames.with_columns(others, **{DURATION: until, ENTRY: entry, EVENT: never}),
    ]


def _counted(frame: frames.Frame, named: Mapping[str, str]) -> Mapping[str, Any]:
    """Collect the distinct histories, and how many contracts have each."""
    names = {f"crmkit_{argument}": nw.col(name) for argument, name in named.items()}
    keys = (DURATION, ENTRY, EVENT, *names)
    chosen = frame.select(DURATION, ENTRY, EVENT, **names)
    data = chosen.group_by(*keys).agg(nw.len().alias("n")).collect()
    numbers = {name: data[name].to_numpy().astype(float) for name in (*keys[:3], "n")}
    return {**numbers, **{name: _texts(data[f"crmkit_{name}"].to_list()) for name in named}}


def _texts(values: Sequence[Any]) -> Texts:
    """Write each value as text, a whole number without decimals; unknown is None."""
    texts = np.empty(len(values), dtype=object)
    texts[:] = [_text(value) for value in values]
    return texts


def _text(value: Any) -> str | None:  # noqa: ANN401 - a cell
    if frames.plain(value) is None:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _spells(found: Sequence[Mapping[str, Any]], named: Mapping[str, str]) -> Spells:
    data = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    for argument, name in named.items():
        unknown = np.array([value is None for value in data[argument]], dtype=bool)
        if argument == "reason":
            unknown &= data[EVENT] == 1
        what = f"`{name}` is null" + (" where the contract ended" if argument == "reason" else "")
        advice = f"Fill in `{name}`, such as 'unknown'."
        _refuse(unknown, data["n"], data[DURATION], what, advice=advice)
    keys = {name: data[name] for name in named}
    return spells_of(data, n=data["n"], keys=keys)


def spells_of(data: Mapping[str, Any], *, n: Floats, keys: Mapping[str, Texts]) -> Spells:
    """Check histories, and leave out those that were over before they could be seen."""
    duration, event, entry = data[DURATION], data[EVENT], data[ENTRY]
    _refuse(
        ~(duration >= 0), n, duration, "`duration` is null or negative, or `end` before `start`"
    )
    _refuse(~np.isin(event, (0.0, 1.0)), n, event, "`event` is not 0 or 1", key="event")
    late = np.where(entry > 0, entry, -np.inf)
    seen = late < duration
    if not seen.any():
        msg = "contracts: none was seen.\nGive contracts that began by `as_of`."
        raise InvalidRowsError(msg, n_rows=0, examples=())
    return Spells(duration, late, event == 1, n, keys).where(seen)


def _refuse(
    broken: Flags,
    n: Floats,
    values: Floats,
    complaint: str,
    *,
    key: str = "duration",
    advice: str = "Correct these rows, or leave them out.",
) -> None:
    if not broken.any():
        return
    examples = tuple(float(value) for value in values[broken][:_SHOWN])
    n_rows = int(n[broken].sum())
    written = ", ".join(f"{value:g}" for value in examples)
    msg = f"contracts: {complaint} in {n_rows:,} of {int(n.sum()):,} rows ({key} {written}).\n"
    raise InvalidRowsError(msg + advice, n_rows=n_rows, examples=examples)


def _refuse_dates(**given: object) -> None:
    named = [name for name, value in given.items() if value is not None]
    if named:
        msg = (
            f"`{named[0]}` is given, but the table has durations in place of dates.\n"
            "Leave it out; a column `entry` says how long each had run when first seen."
        )
        raise InvalidArgumentError(msg)

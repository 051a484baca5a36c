"""The seasonal index as a value to keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final, Literal, Self, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from crmkit._door import time
from crmkit._words import kept
from crmkit._words.arguments import require_choice, require_whole
from crmkit.errors import InvalidArgumentError

Season: TypeAlias = Literal["month", "quarter"]
SeasonMethod: TypeAlias = Literal["moving average", "means", "yearly ratios"]

SEASONS: Final[Mapping[Season, int]] = {"month": 12, "quarter": 4}
_CLOSE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class GroupIndex:
    """The seasonal index of one group, pulled to that of the whole.

    Attributes
    ----------
    group
        The values of the columns of `within`, as text; None where one is unknown.
    index
        One number per month or quarter of the year, with a mean of 1.
    weight
        The weight of the group's own index, from 0 to 1; the rest is that of the whole.
    n_periods
        Periods of the group that it was found from.
    """

    group: tuple[str | None, ...]
    index: tuple[float, ...]
    weight: float
    n_periods: int


@dataclass(frozen=True, slots=True)
class SeasonalIndex:
    """A seasonal index by month or quarter, as a value to keep.

    `crmkit.sales.seasonal_index` makes it; `spread`, `attainment` and `trend` use it.

    Attributes
    ----------
    every
        "month" or "quarter".
    method
        How the index was found: "moving average", "means" or "yearly ratios".
    index
        One number per month or quarter of the year, with a mean of 1; by working day where
        `working_days` is true.
    noise
        Standard deviation of what season and level do not explain, as a fraction; None where the
        years are too few to say.
    years
        Years that were asked for.
    n_periods
        Periods that were used.
    starts, ends
        First and last day of them.
    working_days
        Whether it is an index of money per working day, Monday to Friday.
    within
        The columns of the groups.
    groups
        The index of each group.
    findings
        What to know before it is used.
    """

    every: Season
    method: SeasonMethod
    index: tuple[float, ...]
    noise: float | None
    years: int
    n_periods: int
    starts: date
    ends: date
    working_days: bool = False
    within: tuple[str, ...] = ()
    groups: tuple[GroupIndex, ...] = ()
    findings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Require fields that fit together."""
        require_choice(self.every, tuple(SEASONS), argument="every")
        require_choice(self.method, get_args(SeasonMethod), argument="method")
        n = SEASONS[self.every]
        all_ = [self.index, *(group.index for group in self.groups)]
        sound = all(len(i) == n and _is_index(i) for i in all_) and all(
            len(group.group) == len(self.within) and 0 <= group.weight <= 1 for group in self.groups
        )
        if not sound:
            msg = (
                f"SeasonalIndex: needs {n} numbers of 0 or more with a mean of 1 for the whole and "
                "each group, and groups with one name for each column of `within`."
            )
            raise InvalidArgumentError(msg)

    def of(self, group: Sequence[object] | None = None) -> tuple[float, ...]:
        """Give the index of a group, by the values of `within`; that of the whole for another."""
        if not self.within or group is None:
            return self.index
        name = as_group(group)
        return next((each.index for each in self.groups if each.group == name), self.index)

    def weights(
        self, *, year: int | None = None, group: Sequence[object] | None = None
    ) -> tuple[float, ...]:
        """Give the share of the year in each month or quarter; they sum to 1.

        An index by working day needs the `year`, whose working days it counts.
        """
        index = np.array(self.of(group))
        if self.working_days:
            if year is None:
                msg = "The index is by working day.\nGive the `year` of the target, such as 2025."
                raise InvalidArgumentError(msg)
            index = index * _of_year(require_year(year), every=self.every)
        return tuple((index / index.sum()).tolist())

    def factors(self, numbers: Sequence[int]) -> npt.NDArray[np.float64]:
        """Give the factor of each period by its number; NaN where the index is 0."""
        n = SEASONS[self.every]
        index = np.array([self.index[number % n] for number in numbers], dtype=float)
        if self.working_days:
            days = count_working_days(numbers, every=self.every)
            index = index * days / _mean_working_days(self.every)
        return np.where(index > 0, index, np.nan)

    def to_json(self) -> str:
        """Write as JSON text."""
        fields = asdict(self) | {"starts": self.starts.isoformat(), "ends": self.ends.isoformat()}
        return kept.write(type(self).__name__, fields)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        kind = cls.__name__
        fields = kept.read(text, kind=kind, fields=_READERS)
        groups = tuple(GroupIndex(**group) for group in fields.pop("groups"))
        try:
            return cls(**fields, groups=groups)
        except InvalidArgumentError as error:
            kept.refuse_fields(kind, str(error).removeprefix(f"{kind}: "))


def require_index(index: object, *, argument: str) -> None:
    """Require a seasonal index."""
    if not isinstance(index, SeasonalIndex):
        msg = (
            f"`{argument}` must be a SeasonalIndex, got a {type(index).__name__}.\n"
            "Make one with crmkit.sales.seasonal_index()."
        )
        raise InvalidArgumentError(msg)


def as_group(values: Sequence[object]) -> tuple[str | None, ...]:
    """Write the values of a group as an index keeps them."""
    return tuple(None if value is None else str(value) for value in values)


def count_working_days(numbers: Sequence[int], *, every: Season) -> npt.NDArray[np.float64]:
    """Count the days from Monday to Friday in each period by its number."""
    months = 12 // SEASONS[every]
    origin = np.datetime64("0001-01", "M")
    first = (origin + np.asarray(numbers, dtype=np.int64) * months).astype("datetime64[M]")
    starts, ends = first.astype("datetime64[D]"), (first + months).astype("datetime64[D]")
    return np.busday_count(starts, ends).astype(float)


def require_year(year: object) -> int:
    """Require a calendar year."""
    require_whole(year, argument="year", least=1, most=9998, advice="Write 2025.")  # type: ignore[arg-type]
    return int(year)  # type: ignore[call-overload, no-any-return]


def _of_year(year: int, *, every: Season) -> npt.NDArray[np.float64]:
    n = SEASONS[every]
    return count_working_days([(year - 1) * n + i for i in range(n)], every=every)


def _mean_working_days(every: Season) -> float:
    return 365.2425 / SEASONS[every] * 5 / 7


def _is_index(index: Sequence[float]) -> bool:
    finite = all(math.isfinite(each) and each >= 0 for each in index)
    return finite and abs(sum(index) / len(index) - 1) < _CLOSE


def _day(value: Any, place: str) -> date:  # noqa: ANN401 - anything that JSON can hold
    return time.as_day(kept.text(value, place), argument=place)


_INDEX: Final = kept.list_of(kept.number)
_READERS: Final = {
    "every": kept.choice(*SEASONS),
    "method": kept.choice(*get_args(SeasonMethod)),
    "index": _INDEX,
    "noise": kept.optional(kept.number),
    "years": kept.whole,
    "n_periods": kept.whole,
    "starts": _day,
    "ends": _day,
    "working_days": kept.flag,
    "within": kept.list_of(kept.text),
    "groups": kept.list_of(
        kept.record(
            {
                "group": kept.list_of(kept.optional(kept.text)),
                "index": _INDEX,
                "weight": kept.number,
                "n_periods": kept.whole,
            }
        )
    ),
    "findings": kept.list_of(kept.text),
}

"""Cut points of tiers as values to keep: one rule, or one for each group."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self, TypeAlias, get_args

import narwhals as nw

from crmkit._words import kept
from crmkit._words.arguments import require_choice, require_list, require_numbers, shown
from crmkit.errors import InvalidArgumentError

Method: TypeAlias = Literal[
    "thresholds",
    "all_thresholds",
    "customer_share",
    "value_share",
    "quantile",
    "natural",
    "head_tail",
]


@dataclass(frozen=True, slots=True)
class TierRule:
    """Tiers and the value at which each begins, as a value to keep.

    `crmkit.tiers.rule` makes it, `crmkit.tiers.assign` applies it.

    Attributes
    ----------
    names
        The tiers, best first.
    cuts
        The least value of each tier but the last, best first; empty for "all_thresholds".
    measures
        The columns that make up the value.
    weights
        The weight of each measure, above 0.
    scales
        The divisor of each measure: 1 for a single measure, else its mean in the fit.
    method
        How the cuts were found.
    measure_cuts
        For "all_thresholds": the cuts of each measure, best first; else empty.
    """

    names: tuple[str, ...]
    cuts: tuple[float, ...]
    measures: tuple[str, ...]
    weights: tuple[float, ...]
    scales: tuple[float, ...]
    method: Method
    measure_cuts: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        """Require fields that fit together."""
        require_choice(self.method, get_args(Method), argument="method")
        for name in ("names", "measures", "measure_cuts"):
            require_list(getattr(self, name), argument=name)
        cuts, weights, scales = (
            require_numbers(getattr(self, name), argument=name, example=example)
            for name, example in (("cuts", "(500, 100)"), ("weights", "(1,)"), ("scales", "(1,)"))
        )
        for_each = [
            require_numbers(each, argument="measure_cuts", example="((500, 100), (20, 5))")
            for each in self.measure_cuts
        ]
        is_by_measure = self.method == "all_thresholds"
        lists = for_each if is_by_measure else [cuts]
        falling = all(a >= b for each in lists for a, b in itertools.pairwise(each))
        positive = all(0 < number < math.inf for number in (*weights, *scales))
        lengths = {len(self.measures), len(weights), len(scales)}
        sound = (
            all(len(set(self.names)) == len(self.names) == len(each) + 1 for each in lists)
            and len(lengths) == 1
            and (not cuts and len(for_each) == len(weights) if is_by_measure else not for_each)
            and all(math.isfinite(cut) for each in lists for cut in each)
        )
        if not (falling and positive and sound and self.measures):
            msg = (
                "TierRule: needs distinct names, one cut fewer than names in falling order, and a "
                f"positive weight and scale for each measure; got {self}.\n"
                "Make it with crmkit.tiers.rule()."
            )
            raise InvalidArgumentError(msg)

    def to_json(self) -> str:
        """Write the rule as JSON text."""
        return kept.write("TierRule", _written(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a rule that `to_json` wrote."""
        return cls(**kept.read(text, kind="TierRule", fields=_fields(), defaults=_DEFAULTS))


Cell: TypeAlias = str | float | bool | None


@dataclass(frozen=True, slots=True)
class TierRules:
    """Tiers within groups: a rule for each group, as a value to keep.

    `crmkit.tiers.rule` makes it with `within`, `crmkit.tiers.assign` applies it.

    Attributes
    ----------
    within
        The columns that make up a group.
    groups
        The values of these columns in each group.
    rules
        The rule of each group; None where it has none.
    findings
        Why a group has no rule; None where it has one.
    """

    within: tuple[str, ...]
    groups: tuple[tuple[Cell, ...], ...]
    rules: tuple[TierRule | None, ...]
    findings: tuple[str | None, ...]

    def __post_init__(self) -> None:
        """Require fields that fit together."""
        for name in ("within", "groups", "rules", "findings"):
            require_list(getattr(self, name), argument=name)
        lengths = {len(self.groups), len(self.rules), len(self.findings)}
        widths = {len(group) for group in self.groups} - {len(self.within)}
        measures = {(rule.measures, rule.names) for rule in self.rules if rule is not None}
        distinct = len(set(self.groups)) == len(self.groups)
        if len(lengths) > 1 or widths or len(measures) > 1 or not self.within or not distinct:
            msg = (
                "TierRules: needs distinct groups with a value for each column of `within`, and a "
                "rule of the same measures and names and a finding for each; "
                f"got {shown(self)}.\n"
                "Make it with crmkit.tiers.rule(within=...)."
            )
            raise InvalidArgumentError(msg)

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns that make up the value; none where no group has a rule."""
        return next((rule.measures for rule in self.rules if rule is not None), ())

    @property
    def names(self) -> tuple[str, ...]:
        """The tiers, best first; none where no group has a rule."""
        return next((rule.names for rule in self.rules if rule is not None), ())

    def of_group(self, make: Callable[[TierRule], nw.Expr], *, otherwise: nw.Expr) -> nw.Expr:
        """Choose what the rule of each customer's group makes; null for a group without one."""
        found: nw.Expr | None = None
        for group, rule in zip(self.groups, self.rules, strict=True):
            if rule is not None:
                this = nw.when(is_group(self.within, group)).then(make(rule))
                found = this if found is None else this.otherwise(found)
        return otherwise if found is None else found

    def to_json(self) -> str:
        """Write the rules as JSON text."""
        rules = [None if rule is None else _written(rule) for rule in self.rules]
        fields = {"within": self.within, "groups": self.groups, "findings": self.findings}
        return kept.write("TierRules", {**fields, "rules": rules})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read rules that `to_json` wrote."""
        fields: dict[str, kept.Reader[Any]] = {
            "within": kept.list_of(kept.text),
            "groups": kept.list_of(kept.list_of(_cell)),
            "rules": kept.list_of(kept.optional(kept.record(_fields(), defaults=_DEFAULTS))),
            "findings": kept.list_of(kept.optional(kept.text)),
        }
        found = kept.read(text, kind="TierRules", fields=fields)
        rules = tuple(None if each is None else TierRule(**each) for each in found["rules"])
        return cls(**{**found, "rules": rules})


def is_group(within: Sequence[str], group: Sequence[Cell]) -> nw.Expr:
    """Whether a row belongs to the group; null is a group of its own."""
    first, *others = (
        nw.col(name).is_null() if value is None else (nw.col(name) == value)
        for name, value in zip(within, group, strict=True)
    )
    for other in others:
        first = first & other
    return first


def _cell(value: Any, place: str) -> Cell:  # noqa: ANN401 - anything that JSON can hold
    if value is None or isinstance(value, str | bool):
        return value
    number = kept.number(value, place)
    return int(number) if isinstance(value, int) else number


_DEFAULTS: Final = {"measure_cuts": ()}
"""What texts do not say that were kept before there were cuts for each measure."""


def _written(rule: TierRule) -> dict[str, Any]:
    """Leave out what says nothing, so that an earlier crmkit reads the text too."""
    fields = asdict(rule)
    return {name: each for name, each in fields.items() if each or name != "measure_cuts"}


def _fields() -> dict[str, kept.Reader[Any]]:
    return {
        "names": kept.list_of(kept.text),
        "cuts": kept.list_of(kept.number),
        "measures": kept.list_of(kept.text),
        "weights": kept.list_of(kept.positive),
        "scales": kept.list_of(kept.positive),
        "method": kept.choice(*get_args(Method)),
        "measure_cuts": kept.list_of(kept.list_of(kept.number)),
    }

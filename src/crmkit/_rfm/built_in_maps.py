"""The segment maps that come with the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeAlias

Range: TypeAlias = tuple[int, int]

BEST_SCORE: Final = 5
"""The built-in maps are for scores from 1 to 5."""


@dataclass(frozen=True, slots=True)
class SegmentRule:
    """One row of a map: a segment, and its lowest and highest score of each measure."""

    segment: str
    ranges: tuple[Range, ...]

    @property
    def is_code(self) -> bool:
        """Whether the rule covers a single code of three scores."""
        return len(self.ranges) == len("rfm") and all(low == high for low, high in self.ranges)

    def codes(self, *, n: int) -> list[str]:
        """List the codes of scores from 1 to `n` that the rule covers."""
        scores = [range(low, min(high, n) + 1) for low, high in self.ranges]
        return ["".join(map(str, code)) for code in product(*scores)]


def code_rule(code: str, segment: str) -> SegmentRule:
    """Write a single code as a rule."""
    return SegmentRule(segment, tuple((int(digit), int(digit)) for digit in code))


def _rule(segment: str, ranges: str) -> SegmentRule:
    """Read ranges such as "1-2 5-5"."""
    bounds = (pair.split("-") for pair in ranges.split())
    return SegmentRule(segment, tuple((int(low), int(high)) for low, high in bounds))


_CODES_125: Final = {
    "Champions": "555 554 545 544 455 454 445",
    "Loyal": "543 444 435 355 354 345 344 335",
    "Potential Loyalist": (
        "553 552 551 542 541 533 532 531 453 452 451 442 441 433 432 431 423 353 352 351 342 341 "
        "333 323"
    ),
    "New Customers": "512 511 422 421 412 411 311",
    "Promising": "525 524 523 522 521 515 514 513 425 424 415 414 413 315 314 313",
    "Need Attention": "535 534 443 434 343 334 325 324",
    "About To Sleep": "331 321 312 251 241 231 221 213",
    "At Risk": (
        "255 254 253 252 245 244 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124"
    ),
    "Cannot Lose Them": "215 214 155 154 144 115 114 113",
    "Hibernating": "332 322 233 232 223 222 212 211 132 123 122",
    "Lost": "151 141 131 121 112 111",
}

_FREQUENCY: Final = {"Frequent": "4-5", "Medium frequency": "3-3", "Infrequent": "1-2"}
_RECENCY: Final = {"most recent": "4-5", "less recent": "3-3", "least recent": "1-2"}

KNOWN_MAPS: Final[Mapping[str, tuple[SegmentRule, ...]]] = {
    # Names of ranks, which promise nothing of a customer's life: that is said by the stage.
    "rf_ranks": tuple(
        _rule(f"{often}, {recently}", f"{r} {f}")
        for often, f in _FREQUENCY.items()
        for recently, r in _RECENCY.items()
    ),
    "codes_125": tuple(
        code_rule(code, segment) for segment, codes in _CODES_125.items() for code in codes.split()
    ),
    "rf_25": (
        _rule("hibernating", "1-2 1-2"),
        _rule("at_risk", "1-2 3-4"),
        _rule("cant_lose", "1-2 5-5"),
        _rule("about_to_sleep", "3-3 1-2"),
        _rule("need_attention", "3-3 3-3"),
        _rule("loyal_customers", "3-4 4-5"),
        _rule("promising", "4-4 1-1"),
        _rule("new_customers", "5-5 1-1"),
        _rule("potential_loyalists", "4-5 2-3"),
        _rule("champions", "5-5 4-5"),
    ),
    "r_vignette": (
        _rule("Champions", "5-5 5-5 5-5"),
        _rule("Potential Loyalist", "3-5 3-5 2-5"),
        _rule("Loyal Customers", "2-4 2-4 2-4"),
        _rule("Promising", "3-4 1-3 3-5"),
        _rule("New Customers", "4-5 1-3 1-5"),
        _rule("Can't Lose Them", "1-2 3-4 4-5"),
        _rule("At Risk", "1-2 2-5 4-5"),
        _rule("Need Attention", "1-3 3-5 3-5"),
        _rule("About To Sleep", "2-3 1-3 1-4"),
        _rule("Lost", "1-1 1-5 1-5"),
    ),
    "r_putler": (
        _rule("Champions", "4-5 4-5 4-5"),
        _rule("Loyal Customers", "2-5 3-5 3-5"),
        _rule("Potential Loyalist", "3-5 1-3 1-3"),
        _rule("New Customers", "4-5 1-1 1-1"),
        _rule("Promising", "3-4 1-1 1-1"),
        _rule("Need Attention", "2-3 2-3 2-3"),
        _rule("About To Sleep", "2-3 1-2 1-2"),
        _rule("At Risk", "1-2 2-5 2-5"),
        _rule("Can't Lose Them", "1-1 4-5 4-5"),
        _rule("Lost", "1-2 1-2 1-2"),
    ),
}

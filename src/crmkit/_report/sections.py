"""What a section of the report is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from crmkit._report.grids import Grid

_WIDTH_OF_HALF_A_PAGE: Final = 400


@dataclass(frozen=True, slots=True)
class Card:
    """One key figure: its name, its value in words, what it means, and the table behind it."""

    name: str
    value: str
    meaning: str
    table: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawing, and its width in points; a wide one takes the page's whole width."""

    svg: Markup
    width: int

    @property
    def is_wide(self) -> bool:
        """Tell whether it would be too small to read beside another."""
        return self.width > _WIDTH_OF_HALF_A_PAGE


@dataclass(frozen=True, slots=True)
class Section:
    """One question and its answer.

    Attributes
    ----------
    key
        Its id in the page.
    heading
        The question, in a few words.
    reading
        The answer, in one sentence made from the numbers.
    remarks
        What else to know, a sentence or two each.
    tables
        The tables behind it.
    is_split
        Whether picture and table stand side by side where there is room.
    """

    key: str
    heading: str
    reading: str
    remarks: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    pictures: tuple[Picture, ...] = ()
    grids: tuple[Grid, ...] = ()
    tables: tuple[str, ...] = ()
    is_split: bool = False

"""The parts of a section of the report: cards, pictures and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from crmkit._report.html_tables import HtmlTable

_WIDTH_OF_HALF_A_PAGE: Final = 400


@dataclass(frozen=True, slots=True)
class Card:
    """One key figure: its name, its value as text, its meaning, and its table."""

    name: str
    value: str
    meaning: str
    table: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One plot as SVG, and its width in points; a wide plot takes the page's full width."""

    svg: Markup
    width: int

    @property
    def is_wide(self) -> bool:
        """Whether it would be too small to read in half a page."""
        return self.width > _WIDTH_OF_HALF_A_PAGE


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the report.

    Attributes
    ----------
    key
        Its id in the page.
    heading
        Its heading.
    reading
        Its numbers in one sentence.
    remarks
        Remarks of a sentence or two each.
    tables
        The tables that its numbers come from.
    items
        A list of sentences.
    is_split
        Whether picture and table are side by side where there is room.
    is_box
        Whether it stands in a box, to be seen at once.
    """

    key: str
    heading: str
    reading: str
    remarks: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    pictures: tuple[Picture, ...] = ()
    html_tables: tuple[HtmlTable, ...] = ()
    tables: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    is_split: bool = False
    is_box: bool = False

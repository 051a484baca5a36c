"""The page: sections in the order of a manager's questions, laid out by the template."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from markupsafe import Markup

from crmkit._report.book import Book
from crmkit._report.customers import actions, call_list, segments, stages, tiers
from crmkit._report.evidence import lifetime_value, retention
from crmkit._report.overview import assumptions, cards
from crmkit._report.records import data_quality, notes, tables
from crmkit._report.sections import Section

__all__ = ["write_page"]

_SECTIONS = (
    call_list,
    actions,
    segments,
    stages,
    tiers,
    retention,
    lifetime_value,
    data_quality,
    notes,
    tables,
)


def write_page(book: Book, *, title: str) -> str:
    """Fill the template with every section."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - heavy

    environment = Environment(
        loader=PackageLoader("crmkit._report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _part("sort.js")
    sections: list[Section] = [cards(book), *(section(book) for section in _SECTIONS)]
    return environment.get_template("template.html").render(
        title=title,
        assumptions=assumptions(book),
        sections=sections,
        link=book.link,
        style=_part("style.css"),
        script=script,
        script_hash=_hash(script),
    )


def _part(name: str) -> Markup:
    """Read a part of the page that is ours, and so not to be escaped."""
    return Markup((files(__package__) / name).read_text(encoding="utf-8"))  # noqa: S704 - see above


def _hash(script: str) -> str:
    """Name the one script that the browser may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"

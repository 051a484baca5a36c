"""Render the result of the main job as one HTML page."""

from __future__ import annotations

from typing import Any

from narwhals.typing import IntoFrame

from crmkit._report.book import open_book
from crmkit._report.page import write_page
from crmkit.pipeline import Result


def render(
    result: Result[Any],
    *,
    title: str = "Customer report",
    source: str = "",
    findings: IntoFrame | None = None,
    n_set_aside: int | None = None,
    tables_folder: str = "tables",
    currency: str = "",
) -> str:
    """Write the result of the main job as one page for people who would rather look than read.

    Each section opens with its reading in one sentence, made from the numbers, and names the
    tables that they come from. The page does not write these tables: links lead to
    ``customers.csv`` beside the page and to the other tables in `tables_folder`.

    Parameters
    ----------
    result
        As made by `crmkit.pipeline.run`.
    title
        The page's title.
    source
        Where the ledger comes from, in words.
    findings
        What was found in the raw log, as made by `crmkit.intake.check`.
    n_set_aside
        How many rows of the raw log were set aside by `crmkit.intake.clean`; None if nobody
        looked.
    tables_folder
        The folder of the tables, as seen from the page.
    currency
        Written before amounts, such as "$" or "EUR ".

    Returns
    -------
    The page as text, to be written to a file as UTF-8. Equal results give equal pages.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import pipeline
    >>> from crmkit.datasets import load_cdnow
    >>> result = pipeline.run(load_cdnow(sample=True), as_of=date(1998, 6, 30))
    >>> page = render(result, title="CDNOW", source="one tenth of CDNOW", currency="$")
    >>> page.count("<section"), page.count("<svg")
    (11, 11)
    """
    book = open_book(
        result,
        source=source,
        findings=findings,
        n_set_aside=n_set_aside,
        tables_folder=tables_folder,
        currency=currency,
    )
    return write_page(book, title=title)

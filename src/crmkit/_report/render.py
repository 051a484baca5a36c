"""Render the result of the main job as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from narwhals.typing import IntoFrame

from crmkit._report.inputs import read_inputs
from crmkit._report.page import write_page
from crmkit._words.arguments import require_fitted, require_list
from crmkit.pipeline import Result


def render(
    result: Result[Any],
    *,
    title: str = "Customer report",
    source: str = "",
    findings: IntoFrame | None = None,
    reading: Sequence[str] = (),
    tables_folder: str = "tables",
    currency: str = "",
) -> str:
    """Render the result of the main job as one HTML page.

    Each section begins with a summary of its numbers in one sentence, and links to its tables.
    A section whose tables the result does not have is left out, and a box says why.
    `render` does not write these tables: the links lead to ``customers.csv`` beside the page and
    to the other tables in `tables_folder`.

    Parameters
    ----------
    result
        As made by `crmkit.pipeline.run` or `crmkit.pipeline.run_summary`.
    title
        The page's title.
    source
        Description of the source of the data.
    findings
        Findings on the raw log, as made by `crmkit.intake.check`. Columns of its own are shown
        too.
    reading
        How the log was read, one sentence each, such as "3 of 6,922 rows with $12 of $240,000
        were set aside.": they stand below the title, those that begin with "Warning:" first and
        to be seen.
    tables_folder
        The folder of the tables, relative to the page.
    currency
        Currency of all amounts: a sign such as "$", written before them, or a code such as
        "EUR", written after.

    Returns
    -------
    The page as HTML text, to write to a file in UTF-8. Equal results give equal pages.

    Raises
    ------
    InvalidArgumentError
        If `result` is of another type, or `reading` is not a list of sentences.

    Examples
    --------
    >>> from datetime import date
    >>> from crmkit import pipeline
    >>> from crmkit.datasets import load_cdnow
    >>> result = pipeline.run(load_cdnow(sample=True), as_of=date(1998, 6, 30))
    >>> page = render(result, title="CDNOW", source="one tenth of CDNOW", currency="$")
    >>> page.count("<section"), page.count("<svg")
    (14, 13)
    """
    require_fitted(result, Result, argument="result", made_by="crmkit.pipeline.run")
    require_list(reading, argument="reading", example='["3 rows were set aside."]')
    inputs = read_inputs(
        result,
        source=source,
        findings=findings,
        reading=tuple(reading),
        tables_folder=tables_folder,
        currency=currency,
    )
    return write_page(inputs, title=title)

"""The HTML page: sections in the order of a manager's questions, in a template."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files
from typing import Final

from markupsafe import Markup

from crmkit._report.appendix import data_quality, left_out, notes, tables
from crmkit._report.customers import actions, call_list, customers, segments, stages, tiers
from crmkit._report.drift import drift
from crmkit._report.inputs import ReportInputs
from crmkit._report.overview import assumptions, cards
from crmkit._report.retention_and_value import lifetime_value, retention
from crmkit._report.risk import churn_risk
from crmkit._report.sections import Section
from crmkit._report.verdict import verdict

_SECTIONS: Final[tuple[Callable[[ReportInputs], Section | None], ...]] = (
    verdict,
    cards,
    left_out,
    call_list,
    customers,
    actions,
    segments,
    stages,
    tiers,
    churn_risk,
    retention,
    lifetime_value,
    drift,
    data_quality,
    notes,
    tables,
)


def write_page(inputs: ReportInputs, *, title: str) -> str:
    """Fill the template with every section that the tables allow."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - heavy

    environment = Environment(
        loader=PackageLoader("crmkit._report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _part("sort.js")
    sections = [section for make in _SECTIONS if (section := make(inputs)) is not None]
    return environment.get_template("template.html").render(
        title=title,
        as_of=inputs.settings.as_of,
        source=inputs.source,
        assumptions=assumptions(inputs),
        warnings=inputs.warnings,
        reading=inputs.reading,
        sections=sections,
        link=inputs.link,
        style=_part("style.css"),
        script=script,
        script_hash=_hash(script),
    )


def _part(name: str) -> Markup:
    """Read a file of the package, which must not be escaped."""
    return Markup((files(__package__) / name).read_text(encoding="utf-8"))  # noqa: S704 - see above


def _hash(script: str) -> str:
    """Hash of the only script that the browser may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"

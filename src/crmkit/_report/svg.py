"""Plots as SVG elements that can share one HTML page."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, cast

from markupsafe import Markup

from crmkit._report.sections import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTER: Final = re.compile(r"(?P<before>^#|url\(#)(?P<id>[\w.-]+)")
_LONG_NUMBER: Final = re.compile(r"-?\d+\.\d{3,}")
_GEOMETRY: Final = ("d", "transform", "x", "y", "width", "height", "viewBox")
_LEFT_OUT: Final = ("metadata", "style")


def draw_svg(key: str, make: Callable[[], Axes]) -> Picture:
    """Draw a plot as an SVG element.

    It scales to the page, has a label for screen readers, and its ids begin with `key`, so that
    they are unique on the page.
    """
    from matplotlib import style  # noqa: PLC0415 - heavy, so not loaded with crmkit

    # The default style, so that a page does not depend on the caller's settings.
    page_style = {"svg.fonttype": "none", "svg.hashsalt": key, "font.family": "DejaVu Sans"}
    with style.context(["default", page_style]), warnings.catch_warnings():
        # The browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing from font", category=UserWarning
        )
        axes = make()
        title = axes.get_title()
        written = io.StringIO()
        cast("Figure", axes.figure).savefig(written, format="svg", metadata={"Date": None})
    svg = ET.fromstring(written.getvalue())  # noqa: S314 - matplotlib has just written it
    _make_plain(svg, key)
    width, height = svg.attrib["viewBox"].split()[2:]
    svg.attrib.update(width=width, height=height, role="img", **{"aria-label": title})
    markup = Markup(ET.tostring(svg, encoding="unicode"))  # noqa: S704 - escaped by the XML writer
    return Picture(markup, width=round(float(width)))


def _make_plain(svg: ET.Element, key: str) -> None:
    """Drop namespaces, metadata and unused ids; number the other ids; round coordinates."""
    ids: dict[str, str] = {}
    for element in svg.iter():
        for name, value in element.attrib.items():
            if _points(_local(name), value):
                for found in _POINTER.finditer(value):
                    ids.setdefault(found["id"], f"{key}-{len(ids) + 1}")
    for element in svg.iter():
        element.tag = _local(element.tag)
        for child in [child for child in element if _local(child.tag) in _LEFT_OUT]:
            element.remove(child)
        attributes = {_local(name): value for name, value in element.attrib.items()}
        element.attrib.clear()
        for name, value in attributes.items():
            if name != "id":
                element.attrib[name] = _plain(name, value, ids)
            elif value in ids:
                element.attrib["id"] = ids[value]


def _points(name: str, value: str) -> bool:
    """Whether an attribute refers to an id; a colour such as #0072b2 does not."""
    return name == "href" or "url(" in value


def _plain(name: str, value: str, ids: Mapping[str, str]) -> str:
    if _points(name, value):
        return _POINTER.sub(lambda found: found["before"] + ids[found["id"]], value)
    return _rounded(name, value)


def _rounded(name: str, value: str) -> str:
    if name not in _GEOMETRY:
        return value
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", value)


def _local(name: str) -> str:
    return name.rpartition("}")[2]

"""The report: it loads nothing, escapes everything, and every number has its table."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from html.parser import HTMLParser
from typing import Any

import polars as pl
import pytest
from matplotlib import rc_context

from crmkit import actions, intake, pipeline, report
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError
from tests.conftest import MakeFrame

pytestmark = pytest.mark.slow
AS_OF = date(1998, 6, 30)
SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
HOSTILE = (SCRIPT, IMAGE, "=cmd()", "{{ 7 * 7 }}", "$\\frac$ & $x_2$", "\u5ba2\u6237\n&amp;")
VOID = {"meta", "link", "img", "br", "wbr", "hr", "input"}


@dataclass
class Page(HTMLParser):
    """A page as a browser sees it, as far as these tests ask."""

    tags: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    path: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to read."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element and go into it."""
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.path.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that holds nothing."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.path.pop()

    def handle_endtag(self, tag: str) -> None:
        """Leave an element, which must be the last one entered."""
        assert self.path.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text and where it stands."""
        if data.strip():
            self.texts.append(("/".join(self.path), data.strip()))

    def values(self, name: str) -> list[str]:
        """List an attribute's values."""
        return [value for _, each, value in self.attributes if each == name]

    def texts_in(self, *tags: str) -> list[str]:
        """List the texts inside of all these elements."""
        return [text for path, text in self.texts if set(tags) <= set(path.split("/"))]


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.path == []
    return page


@pytest.fixture(scope="module")
def result() -> pipeline.Result[pl.DataFrame]:
    """The main job on the sample."""
    return pipeline.run(load_cdnow(sample=True, backend="polars"), as_of=AS_OF)


@pytest.fixture(scope="module")
def html(result: pipeline.Result[pl.DataFrame]) -> str:
    """Its report."""
    return report.render(result, title="CDNOW", source="a tenth of CDNOW", currency="$")


@pytest.fixture(scope="module")
def hostile(result: pipeline.Result[pl.DataFrame]) -> str:
    """A report on customers, actions and a source with names that a page might run."""
    first = result.call_list["customer_id"].to_list()[: len(HOSTILE)]
    renamed = pl.col("customer_id").replace(dict(zip(first, HOSTILE, strict=True)))
    orders = load_cdnow(sample=True, backend="polars").with_columns(renamed)
    rules: Any = actions.plan(backend="polars")
    plan = rules.with_columns(
        action=pl.col("action").replace({"call now": SCRIPT, "ask why they left": IMAGE}),
        reason=pl.col("reason").replace({"valuable, nearly gone": SCRIPT}),
    )
    log = orders.with_columns(amount=pl.when(pl.col("customer_id") != SCRIPT).then("amount"))
    findings = intake.check(log, customer="customer_id", date="date", amount="amount")
    return report.render(
        pipeline.run(orders, as_of=AS_OF, plan=plan),
        title=IMAGE,
        source=SCRIPT,
        findings=findings,
        n_set_aside=3,
        tables_folder=IMAGE,
        currency="<b>$",
    )


@pytest.fixture(scope="module")
def empty(result: pipeline.Result[pl.DataFrame]) -> pipeline.Result[pl.DataFrame]:
    """A result whose small tables have no rows."""
    kept = ("customers", "key_figures")
    bare: dict[str, Any] = {
        name: table.clear() for name, table in result.frames().items() if name not in kept
    }
    return replace(result, **bare, notes=())


# What a browser may run and load


def test_hostile_names_stand_there_as_text(hostile: str) -> None:
    page = read(hostile)
    assert page.tags["img"] == page.tags["b"] == 0
    assert page.tags["script"] == 1
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []
    cells = page.texts_in("th") + page.texts_in("td")
    assert set(HOSTILE) <= set(cells)
    assert SCRIPT in page.texts_in("small") or SCRIPT in cells
    assert page.texts_in("h1") == page.texts_in("title") == [IMAGE]
    assert SCRIPT in page.texts_in("dd")
    assert any(SCRIPT[:3] in text for text in page.texts_in("td", "tbody") if "row" in text)


def test_hostile_names_stand_in_the_pictures_as_text(hostile: str) -> None:
    drawn = read(hostile).texts_in("svg", "text")
    assert {SCRIPT, IMAGE} <= set(drawn)
    assert any(text.startswith("<b>$") for text in drawn)


def test_the_page_loads_nothing(html: str, hostile: str) -> None:
    for page in (read(html), read(hostile)):
        assert page.values("src") == page.values("srcset") == page.values("data") == []
        assert page.tags["link"] == page.tags["iframe"] == page.tags["object"] == 0
        assert all(re.match(r"#|[\w/%.]+\.csv$", value) for value in page.values("href"))
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) == {"#"}


def test_the_browser_may_run_our_script_and_nothing_else(html: str) -> None:
    script = html.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = read(html)
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


# One page out of many pieces


def test_ids_are_unique_and_every_pointer_finds_its_own(html: str) -> None:
    page = read(html)
    assert [name for name, n in Counter(page.ids).items() if n > 1] == []
    pointers = [value[1:] for value in page.values("href") if value.startswith("#")]
    pointers += [
        name for each in page.attributes for name in re.findall(r"url\(#([^)]+)\)", each[2])
    ]
    pointers += page.values("aria-labelledby")
    assert set(pointers) <= set(page.ids)
    assert len(set(pointers)) > 20


def test_pictures_scale_and_name_themselves(html: str) -> None:
    page = read(html)
    n = page.tags["svg"]
    of_svg = [(name, value) for tag, name, value in page.attributes if tag == "svg"]
    assert Counter(name for name, _ in of_svg)["viewbox"] == n == 11
    assert [value for name, value in of_svg if name == "role"] == ["img"] * n
    labels = [value for name, value in of_svg if name == "aria-label"]
    assert all(labels)
    assert len(set(labels)) == n


def test_equal_results_give_equal_pages_whatever_the_caller_draws_with(
    result: pipeline.Result[pl.DataFrame], html: str
) -> None:
    with rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        again = report.render(result, title="CDNOW", source="a tenth of CDNOW", currency="$")
    assert again == html


@pytest.mark.full_for("polars", "polars-lazy", "pyarrow", "duckdb")
def test_every_engine_gives_the_same_page(make_frame: MakeFrame, html: str) -> None:
    orders = make_frame(load_cdnow(sample=True, backend="polars").to_dict(as_series=False))
    result = pipeline.run(orders, as_of=AS_OF)
    assert report.render(result, title="CDNOW", source="a tenth of CDNOW", currency="$") == html


# What a person reads


def test_every_table_is_named_with_its_file_and_its_rows(
    result: pipeline.Result[pl.DataFrame], html: str
) -> None:
    files = dict(
        re.findall(r'<a href="([^"]+)">[^<]*</a><small>.*?</th>\s*<td[^>]* data-sort="(\d+)"', html)
    )
    folder = {"customers": ""}
    assert files == {
        f"{folder.get(name, 'tables/')}{name}.csv": f"{len(table)}"
        for name, table in result.frames().items()
    }


def test_every_section_names_the_tables_behind_it(html: str) -> None:
    sections = re.findall(r'<section id="([\w-]+)"(.*?)</section>', html, flags=re.DOTALL)
    silent = [key for key, text in sections if '<p class="tables">' not in text]
    assert len(sections) == 11
    assert silent == ["data-quality", "notes", "tables"]  # nobody gave findings to this one


def test_the_page_says_from_when_to_when_the_forecast_was_tested(html: str) -> None:
    assert "fitted up to 1997-09-30, tested on the days after" in read(html).texts_in("dd")


def test_readings_say_what_the_tables_say(result: pipeline.Result[pl.DataFrame], html: str) -> None:
    fifth = result.concentration.filter(pl.col("customer_share") == 0.2)["value_share"].item()
    diamond = result.tiers.row(0, named=True)
    late = result.stages.filter(pl.col("stage").is_in(["at risk", "lapsing"]))["n_customers"].sum()
    lost = result.stages.filter(pl.col("stage") == "lost")["n_customers"].item()
    first = result.retention_by_month.row(1, named=True)["retention_rate"]
    at_risk = result.call_list["value_at_risk"].head(25).sum()
    readings = " ".join(read(html).texts_in("p"))
    assert (
        f"The best 20% of the customers brought {fifth:.0%} of the revenue; diamond, the highest "
        f"tier, is {diamond['n_customers']} customers with {diamond['value_share']:.0%} of it."
    ) in readings
    assert re.search(rf"{late:,} customers \(\d+%\) are overdue and not yet lost", readings)
    assert re.search(rf"; {lost:,} \(\d+%\) are lost, by their own purchase rhythm", readings)
    assert f"{first:.0%} of the customers bought again in month 1 after" in readings
    assert f"The 25 customers below have ${at_risk:,.0f} of expected value at risk" in readings


def test_the_forecast_is_compared_with_both_baselines(
    result: pipeline.Result[pl.DataFrame], html: str
) -> None:
    assert result.backtest is not None
    off = {
        method: f"{abs(error):.0%} too {'few' if error < 0 else 'many'}"
        for method, error in result.backtest.select("method", "purchases_error").iter_rows()
    }
    text = (
        f"the model forecast {off['bg_nbd']} purchases; the baselines forecast "
        f"{off['same rate']} and {off['same rate if recent']}."
    )
    assert text in " ".join(read(html).texts_in("p"))


def test_a_model_that_does_not_beat_a_baseline_is_not_praised(
    result: pipeline.Result[pl.DataFrame],
) -> None:
    assert result.backtest is not None
    worse = result.backtest.with_columns(
        purchases_error=pl.when(pl.col("method") == "bg_nbd").then(0.9).otherwise("purchases_error")
    )
    page = report.render(replace(result, backtest=worse))
    assert "90% too many purchases" in page
    assert "A baseline did as well: use the forecast with care." in page


def test_cells_carry_their_numbers_to_sort_by(
    result: pipeline.Result[pl.DataFrame], html: str
) -> None:
    table = html.partition('id="segments"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    amounts = [
        float(re.findall(r'data-sort="([^"]+)"', row)[2]) for row in table.split("</tr>")[:-1]
    ]
    assert amounts == pytest.approx(result.segments["total_amount"].to_list())


def test_the_unknown_is_an_en_dash_with_nothing_to_sort_by(html: str) -> None:
    tiers = html.partition('id="tiers"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    assert '<td class="number">\N{EN DASH}</td>' in tiers.rpartition("silver")[2]


def test_what_was_assumed_stands_at_the_top(empty: pipeline.Result[pl.DataFrame]) -> None:
    settings = replace(empty.settings, margin=0.3, annual_discount_rate=0.1, horizon_days=90)
    page = read(report.render(replace(empty, settings=settings), source="till"))
    assert page.texts_in("dd") == [
        "1998-06-30",
        "till",
        "90 days",
        "30% of revenue",
        "10% a year",
        "not tested; see the notes",
    ]


# What is not there


def test_without_a_test_of_the_forecast_the_page_says_why() -> None:
    orders = pl.DataFrame(
        {
            "customer_id": ["ann", "ann", "ben", "ben", "cid", "cid"],
            "date": [
                date(2024, *day) for day in [(1, 1), (3, 1), (3, 5), (3, 20), (3, 10), (3, 30)]
            ],
            "amount": [10.0, 20.0, 30.0, 25.0, 5.0, 7.0],
        }
    )
    result = pipeline.run(orders, as_of=date(2024, 3, 31))
    assert result.backtest is None
    html = report.render(result)
    assert "The forecast could not be tested on held-out days; see the notes." in html
    assert "no repeat purchase in 1 of 1 customers" in html
    assert "backtest.csv" not in html
    assert "By the model, active customers buy" not in html  # the fit has no maximum
    assert read(html).tags["svg"] == 9


def test_a_month_that_is_not_over_is_drawn_hatched() -> None:
    result = pipeline.run(load_cdnow(sample=True, backend="polars"), as_of=date(1998, 6, 11))
    page = read(report.render(result))
    filled = [re.search(r"url\(#([^)]+)\)", style) for style in page.values("style")]
    hatched = {found[1] for found in filled if found} | {
        found[1] for each in page.values("fill") if (found := re.search(r"url\(#(.+)\)", each))
    }
    assert hatched
    assert hatched <= set(page.ids)


def test_tables_without_rows_leave_their_sections_standing(
    empty: pipeline.Result[pl.DataFrame],
) -> None:
    html = report.render(empty)
    assert html.count("No customers to show.") == 4
    assert "The share of the best customers is unknown: the total is not above 0." in html
    assert "No retention rate is known yet" in html
    assert "No remarks on the results." in html
    assert html.count("<section") == 11


@pytest.mark.parametrize(
    ("n_set_aside", "reading"),
    [
        (None, "This report was made without the number of rows set aside."),
        (0, "No rows were set aside: every row of the log is in the tables."),
        (1, "1 row of the log could not be used and was set aside."),
        (1200, "1,200 rows of the log could not be used and were set aside."),
    ],
)
def test_rows_set_aside_are_counted_in_words(
    empty: pipeline.Result[pl.DataFrame], n_set_aside: int | None, reading: str
) -> None:
    html = report.render(empty, n_set_aside=n_set_aside)
    assert f'<p class="reading">{reading}</p>' in html
    assert ("tables/set_aside.csv" in html) == (n_set_aside is not None)


def test_findings_are_shown_with_what_was_not_found(hostile: str) -> None:
    page = read(hostile)
    assert "missing amount" in page.texts_in("th")
    assert any(text.startswith("Checked and not found: ") for text in page.texts_in("p"))
    assert "findings.csv" in " ".join(page.values("href"))


@pytest.mark.parametrize(("value", "shown"), [(None, "None"), ("x", "'x'"), ({"a": 1}, "{'a': 1}")])
def test_a_result_of_another_type_is_refused(value: Any, shown: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        report.render(value)
    assert str(caught.value) == (
        f"`result` must be a Result, got {shown}.\nMake one with crmkit.pipeline.run()."
    )


def test_importing_the_report_draws_nothing_yet() -> None:
    code = (
        "import sys, crmkit.report; sys.exit({'jinja2', 'matplotlib'} & set(sys.modules) != set())"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

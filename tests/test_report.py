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

from crmkit import cohorts, intake, pipeline, report
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
    assert result.call_list is not None
    assert result.actions is not None
    first = result.call_list["customer_id"].to_list()[: len(HOSTILE)]
    renamed = pl.col("customer_id").replace(dict(zip(first, HOSTILE, strict=True)))
    action = pl.col("action").replace({"call now": SCRIPT, "ask why they left": IMAGE})
    reason = pl.col("action_reason").replace({"valuable, and silent for long": SCRIPT})
    log = load_cdnow(sample=True, backend="polars").select(
        renamed, "date", amount=pl.when(renamed != SCRIPT).then("amount")
    )
    findings = intake.check(log, customer="customer_id", date="date", amount="amount")
    named = replace(
        result,
        customers=result.customers.with_columns(renamed, action, reason),
        call_list=result.call_list.with_columns(renamed, action, reason),
        actions=result.actions.with_columns(action),
    )
    return report.render(
        named,
        title=IMAGE,
        source=SCRIPT,
        findings=findings,
        reading=[f"Warning: {IMAGE}", SCRIPT],
        tables_folder=IMAGE,
        currency="<b>$",
    )


@pytest.fixture(scope="module")
def untested() -> str:
    """A report of two dozen customers who came back after the middle of the ledger only."""
    first = [date(2024, 1, 1)] * 10 + [date(2024, 3, 1)] * 14
    again = [date(2024, 3, 20)] * 24
    orders = pl.DataFrame(
        {
            "customer_id": [f"c{i:02}" for i in range(24)] * 2,
            "date": first + again,
            "amount": [10.0 + i for i in range(48)],
        }
    )
    result = pipeline.run(orders, as_of=date(2024, 3, 31))
    assert result.backtest is None
    return report.render(result)


@pytest.fixture(scope="module")
def empty(result: pipeline.Result[pl.DataFrame]) -> pipeline.Result[pl.DataFrame]:
    """A result whose small tables have no rows."""
    kept = ("customers", "key_figures")
    bare: dict[str, Any] = {
        name: table.clear() for name, table in result.frames().items() if name not in kept
    }
    return replace(result, **bare, notes=())


@pytest.fixture(scope="module")
def bare(empty: pipeline.Result[pl.DataFrame]) -> str:
    """Its report, with other assumptions."""
    settings = replace(empty.settings, margin=0.3, annual_discount_rate=0.1, horizon_days=90)
    return report.render(replace(empty, settings=settings), source="till")


@pytest.fixture(scope="module")
def odd(result: pipeline.Result[pl.DataFrame], empty: pipeline.Result[pl.DataFrame]) -> str:
    """A report with a poor forecast, a month that is not over, and findings with more columns."""
    assert result.backtest is not None
    is_model = ~pl.col("method").str.starts_with("same rate")
    worse = result.backtest.with_columns(
        pl.when(is_model).then(0.9).otherwise(pl.col(name)).alias(name)
        for name in ("purchases_error", "amount_error")
    )
    orders = pl.DataFrame(
        {"customer_id": ["a", "b", "a"], "date": [date(2024, m, 5) for m in (1, 2, 3)]}
    )
    retention = cohorts.calendar_retention(orders, as_of=date(2024, 3, 11))
    findings = pl.DataFrame(
        {
            "rule": ["missing customer", "future date"],
            "severity": ["info", "error"],
            "rows": [3, 0],
            "share": [0.1, 0.0],
            "money": [12.5, None],
            "example": ["row 2", ""],
            "line": ["line 3", ""],
        }
    )
    tables: dict[str, Any] = {"backtest": worse, "retention": retention, "cohorts": retention}
    return report.render(replace(empty, **tables), findings=findings, currency="$")


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
    assert Counter(name for name, _ in of_svg)["viewbox"] == n == 13
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
    assert len(sections) == 14
    assert silent == [
        "data-quality",
        "notes",
        "tables",
        "settings",
    ]  # nobody gave findings to this one


def test_the_page_says_from_when_to_when_the_forecast_was_tested(html: str) -> None:
    assert "fitted up to 1997-09-30, tested on the days after" in read(html).texts_in("dd")


def test_readings_say_what_the_tables_say(result: pipeline.Result[pl.DataFrame], html: str) -> None:
    assert result.concentration is not None
    assert result.tiers is not None
    assert result.stages is not None
    assert result.retention_by_month is not None
    assert result.call_list is not None
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
    assert f"The 25 customers below have ${at_risk:,.0f} of value at risk" in readings


def test_the_forecast_is_compared_with_both_baselines(
    result: pipeline.Result[pl.DataFrame], html: str
) -> None:
    assert result.backtest is not None
    errors = result.backtest.select("method", "amount_error", "purchases_error").iter_rows()
    off = {
        method: (
            f"{abs(money):.0%} too {'little' if money < 0 else 'much'} money "
            f"({abs(purchases):.0%} too {'few' if purchases < 0 else 'many'} purchases)"
        )
        for method, money, purchases in errors
    }
    assert result.kept.purchases is not None
    text = (
        f"the model forecast {off[result.kept.purchases.name]}; the baselines forecast "
        f"{off['same rate']} and {off['same rate if recent']}."
    )
    assert text in " ".join(read(html).texts_in("p"))


def test_the_parameters_are_told_in_words(result: pipeline.Result[pl.DataFrame], html: str) -> None:
    assert result.kept.purchases is not None
    of = result.kept.purchases.estimates  # Pareto/NBD: lifetimes are Pareto, of median as below
    days, half = of["alpha"] / of["r"], of["beta"] * (2 ** (1 / of["s"]) - 1)
    text = (
        f"By the model, active customers buy every {days:,.0f} days on average, and half of them "
        f"become inactive for good within {half:,.0f} days."
    )
    assert text in " ".join(read(html).texts_in("p"))


def test_a_model_that_does_not_beat_a_baseline_is_not_praised(odd: str) -> None:
    assert "90% too much money (90% too many purchases)" in odd
    assert "A baseline did as well: use the forecast with care." in odd


def test_cells_carry_their_numbers_to_sort_by(
    result: pipeline.Result[pl.DataFrame], html: str
) -> None:
    table = html.partition('id="segments"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    amounts = [
        float(re.findall(r'data-sort="([^"]+)"', row)[2]) for row in table.split("</tr>")[:-1]
    ]
    assert result.segments is not None
    assert amounts == pytest.approx(result.segments["total_amount"].to_list())


def test_the_unknown_is_an_en_dash_with_nothing_to_sort_by(html: str) -> None:
    tiers = html.partition('id="tiers"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    assert '<td class="number">\N{EN DASH}</td>' in tiers.rpartition("silver")[2]


def test_what_was_assumed_stands_at_the_top(bare: str) -> None:
    assert read(bare).texts_in("dd") == [
        "1998-06-30",
        "till",
        "90 days",
        "30% of revenue",
        "10% a year",
        "not tested on held-out days",
    ]


# What is not there


def test_without_a_test_of_the_forecast_the_page_says_why(untested: str) -> None:
    assert "The forecast could not be tested on held-out days; see what is left out." in untested
    assert "no repeat purchase in 10 of 10 customers" in untested
    assert "backtest.csv" not in untested
    assert "By the model, active customers buy" not in untested  # the fit has no maximum
    assert read(untested).tags["svg"] == 10


def test_a_month_that_is_not_over_is_drawn_hatched(odd: str) -> None:
    page = read(odd)
    filled = [re.search(r"url\(#([^)]+)\)", style) for style in page.values("style")]
    hatched = {found[1] for found in filled if found} | {
        found[1] for each in page.values("fill") if (found := re.search(r"url\(#(.+)\)", each))
    }
    assert hatched
    assert hatched <= set(page.ids)


def test_tables_without_rows_leave_their_sections_standing(bare: str) -> None:
    assert bare.count("No customers to show.") == 4
    assert "The share of the best customers is unknown: the total is not above 0." in bare
    assert "No retention rate is known yet" in bare
    assert "No remarks on the results." in bare
    assert bare.count("<section") == 12


def test_warnings_stand_below_the_title_and_how_the_log_was_read_at_the_end(hostile: str) -> None:
    page = read(hostile)
    assert page.texts_in("header", "li") == ["Warning:", IMAGE]
    assert page.texts_in("header", "li", "strong") == ["Warning:"]
    assert SCRIPT in page.texts_in("main", "li")
    settings = hostile.partition('id="settings"')[2]
    assert 'class="how-read"' in settings


def test_without_a_word_on_the_log_there_is_none(html: str) -> None:
    assert read(html).texts_in("header", "li") == []


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


# Partial results


@dataclass(frozen=True)
class Partial:
    """A partial result, its page, and its page as a browser sees it."""

    result: pipeline.Result[pl.DataFrame]
    html: str
    page: Page

    @property
    def sections(self) -> list[str]:
        """List the sections."""
        return re.findall(r'<section id="([\w-]+)"', self.html)

    @property
    def cards(self) -> list[str]:
        """List the key figures that are shown."""
        return re.findall(r'<span class="name">([^<]+)</span>', self.html)


def partial(result: pipeline.Result[pl.DataFrame], **options: Any) -> Partial:
    html = report.render(result, **options)
    return Partial(result, html, read(html))


@pytest.fixture(scope="module")
def without_money() -> Partial:
    """The page of a log without amounts."""
    orders = load_cdnow(sample=True, backend="polars").drop("amount", "quantity").head(400)
    return partial(pipeline.run(orders, as_of=date(1997, 9, 30)), currency="$")


@pytest.fixture(scope="module")
def once() -> Partial:
    """The page of 40 customers who bought once, names kept, in euro."""
    orders = pl.DataFrame(
        {
            "customer_id": [f"c{i:02}" for i in range(40)],
            "date": [date(2024, 1, 1 + i % 28) for i in range(40)],
            "amount": [1000.0 + i for i in range(40)],
            "share": [f"Name {i}" for i in range(40)],  # also the name of a column with numbers
        }
    )
    result = pipeline.run(orders, as_of=date(2024, 1, 31), keep=["share"])
    return partial(result, currency="EUR")


@pytest.fixture(scope="module")
def eight() -> Partial:
    """The page of one row per customer, for eight of them."""
    customers = pl.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(8)],
            "phone": [700 + i for i in range(8)],
            "days_since_last": [10 * i for i in range(8)],
            "orders": [9 - i for i in range(8)],
            "total_amount": [50.0 * (8 - i) for i in range(7)] + [None],
        }
    )
    result = pipeline.run_summary(customers, as_of=date(2024, 1, 31), keep=["phone"])
    return partial(result, currency="$")


LAST = ["data-quality", "notes", "tables", "settings"]


def test_without_amounts_the_page_has_no_money(without_money: Partial) -> None:
    middle = ["call-list", "actions", "segments", "stages", "churn-risk"]
    middle += ["retention", "lifetime-value"]
    assert without_money.sections == ["verdict", "key-figures", "left-out", *middle, *LAST]
    assert "$" not in without_money.html.partition("<main>")[2].partition("<script>")[0]
    known = ["customers", "orders", "repeat rate", "expected purchases", "customers running late"]
    assert without_money.cards == [*known, "forecast error", "risk error"]
    readings = " ".join(without_money.page.texts_in("p"))
    assert "late by their own rhythm and not yet lost; those expected to buy most come first" in (
        readings
    )
    assert re.search(r"On held-out days the model forecast \d+% too (few|many) purchases", readings)
    assert "Customers by action" in without_money.page.values("aria-label")


def test_nobody_came_back_gives_a_page_of_what_is_known(once: Partial) -> None:
    middle = ["call-list", "segments", "tiers", "retention"]
    assert once.sections == ["verdict", "key-figures", "left-out", *middle, *LAST]
    assert once.page.texts_in("dd") == ["2024-01-31"]
    assert "40 customers placed 40 orders worth 40,780 EUR." in once.page.texts_in("p")


def test_one_row_per_customer_gives_a_page_of_what_is_known(eight: Partial) -> None:
    middle = ["call-list", "customers", "segments", "tiers"]
    assert eight.sections == ["key-figures", "left-out", *middle, *LAST]
    assert "8 customers placed 44 orders worth $1,750." in eight.page.texts_in("p")
    assert "of all orders less returns; unknown for 1 of 8 customers" in eight.page.texts_in("span")
    table = eight.html.partition('id="customers"')[2].partition("</table>")[0]
    assert re.findall(r"<td>(7\d\d)</td>", table) == [f"{700 + i}" for i in range(8)]


@pytest.mark.parametrize("name", ["without_money", "once", "eight"])
def test_what_is_left_out_stands_in_one_box_with_its_reasons(
    name: str, request: pytest.FixtureRequest
) -> None:
    found: Partial = request.getfixturevalue(name)
    box = found.html.partition('<section id="left-out" class="boxed"')[2].partition("</section>")[0]
    assert read(f"<p>{box.partition('>')[2]}</p>").texts_in("li") == list(found.result.left_out)
    assert found.result.left_out
    files = set(re.findall(r'href="(?:tables/)?(\w+)\.csv"', found.html))
    assert files == set(found.result.frames())
    pointers = [value[1:] for value in found.page.values("href") if value.startswith("#")]
    assert set(pointers) <= set(found.page.ids)


def test_a_full_result_has_no_such_box(html: str) -> None:
    assert "left-out" not in html


def test_kept_columns_stand_beside_the_customer_as_they_are(once: Partial) -> None:
    table = once.html.partition('id="call-list"')[2].partition("</table>")[0]
    heads = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', table)
    assert heads == [
        "Customer",
        "share",
        "Segment",
        "Tier",
        "Last purchase",
        "Orders",
        "Total amount",
    ]
    assert "Name " in table


def test_a_code_of_a_currency_stands_after_every_amount(once: Partial) -> None:
    money = re.findall(r'<td class="number"[^>]*>([^<]* EUR)</td>', once.html)
    assert len(money) > 20
    assert all(re.fullmatch(r"[\d,]+(\.\d\d)? EUR", text) for text in money)


def test_nobody_at_all_gives_a_page_that_says_so() -> None:
    orders = pl.DataFrame({"customer_id": ["a"], "date": [date(2024, 1, 1)], "amount": [-5.0]})
    html = report.render(pipeline.run(orders, as_of=date(2024, 1, 31)))
    assert "Nobody has bought yet." in html
    assert re.findall(r'<section id="([\w-]+)"', html) == ["key-figures", "left-out", *LAST]


def test_findings_show_money_and_columns_of_their_own(odd: str) -> None:
    table = odd.partition('id="data-quality"')[2].partition("</table>")[0]
    heads = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', table)
    assert heads == ["Rule", "Severity", "Rows", "Share of rows", "Money", "Example", "line"]
    assert ">$12.50</td>" in table
    assert "1 check of 2 found something." in odd
    assert "Checked and not found: future date." in odd


def test_a_single_text_is_no_list_of_sentences(empty: pipeline.Result[pl.DataFrame]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        report.render(empty, reading="3 rows")
    assert str(caught.value) == (
        "`reading` must be a list, got '3 rows'.\nWrite [\"3 rows were set aside.\"]."
    )

"""RFM segments: published values of the R package rfm, public maps, and properties."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import lifecycle, rfm
from crmkit._rfm import maps as maps_module
from crmkit._rfm.built_in_maps import SegmentRule, code_rule
from crmkit._rfm.maps import MapName
from crmkit.errors import (
    CrmkitWarning,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from tests.conftest import MakeFrame, columns, rows

ORDERS = Path(__file__).parent / "reference" / "rfm_data_orders.csv.gz"
CODES = ["".join(code) for code in product("12345", repeat=3)]
TEXT = {"rfm_code": pl.String, "segment": pl.String}
MAPS: tuple[MapName, ...] = ("codes_125", "rf_25", "r_vignette", "r_putler")


def scored(codes: list[str]) -> dict[str, list[Any]]:
    """One customer for each code."""
    return {
        "customer_id": list(range(len(codes))),
        "r_score": [int(code[0]) for code in codes],
        "f_score": [int(code[1]) for code in codes],
        "m_score": [int(code[2]) for code in codes],
    }


def segments_of(codes: list[str], segments: Any = "codes_125") -> dict[str, str]:
    named = rfm.segment(pl.DataFrame(scored(codes)), segments=segments)
    return dict(zip(codes, named["segment"].to_list(), strict=True))


def findings(segments: Any, *, n: int = 5) -> dict[str, list[str]]:
    """The codes, or segments, of each kind of finding."""
    found: dict[str, list[str]] = {"not covered": [], "covered twice": [], "cannot occur": []}
    for row in rows(rfm.check_map(segments, n=n)):
        found[row["problem"]].append(row["rfm_code"] or row["segment"])
    return found


# Published


def test_the_r_packages_segments() -> None:
    # R package rfm 0.3.0, docs of rfm_segment_summary: customers, orders, revenue, and the order
    # value as printed.
    orders = pl.read_csv(ORDERS, try_parse_dates=True)
    customers = rfm.summarize(orders, as_of=date(2006, 12, 31))
    customers = rfm.score(customers, breakpoints=rfm.breakpoints(customers, method="r_package"))
    summary = rfm.segment_summary(rfm.segment(customers, segments="r_vignette"))
    found = {
        row["segment"]: (
            row["n_customers"],
            row["orders"],
            row["total_amount"],
            f"{row['average_order_value']:.3g}",
        )
        for row in summary.to_dicts()
    }
    assert found == {
        "About To Sleep": (102, 283, 23449, "82.9"),
        "At Risk": (28, 216, 22227, "103"),
        "Can't Lose Them": (47, 274, 32446, "118"),
        "Champions": (35, 316, 31646, "100"),
        "Lost": (148, 393, 35324, "89.9"),
        "Loyal Customers": (170, 799, 76562, "95.8"),
        "Need Attention": (10, 57, 4562, "80"),
        "New Customers": (104, 329, 28837, "87.7"),
        "Potential Loyalist": (342, 2211, 204856, "92.7"),
        "Promising": (9, 28, 4249, "152"),
    }


def test_the_125_codes_are_named_as_in_public_analyses() -> None:
    # Seven public files and the help pages of Spotler Activate agree on these lists.
    expected = {
        "Champions": "555 554 544 545 454 455 445",
        "Loyal": "543 444 435 355 354 345 344 335",
        "Potential Loyalist": (
            "553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 "
            "341 333 323"
        ),
        "New Customers": "512 511 422 421 412 411 311",
        "Promising": "525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313",
        "Need Attention": "535 534 443 434 343 334 325 324",
        "About To Sleep": "331 321 312 221 213 231 241 251",
        "At Risk": (
            "255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 "
            "124"
        ),
        "Cannot Lose Them": "155 154 144 214 215 115 114 113",
        "Hibernating": "332 322 233 232 223 222 132 123 122 212 211",
        "Lost": "111 112 121 131 141 151",
    }
    found = segments_of(CODES)
    by_segment = {name: {c for c in CODES if found[c] == name} for name in set(found.values())}
    assert by_segment == {name: set(codes.split()) for name, codes in expected.items()}
    assert sorted(map(len, by_segment.values())) == [6, 7, 7, 8, 8, 8, 8, 11, 16, 22, 24]


def test_the_25_cells_are_named_as_in_public_notebooks() -> None:
    # Eight public notebooks agree on the ten ranges.
    found = segments_of([code for code in CODES if code[2] == "3"], "rf_25")
    assert Counter(found.values()) == {
        "hibernating": 4,
        "at_risk": 4,
        "cant_lose": 2,
        "about_to_sleep": 2,
        "need_attention": 1,
        "loyal_customers": 4,
        "promising": 1,
        "new_customers": 1,
        "potential_loyalists": 4,
        "champions": 2,
    }
    assert found["113"] == "hibernating"
    assert (found["153"], found["343"], found["433"]) == (
        "cant_lose",
        "loyal_customers",
        "potential_loyalists",
    )


@pytest.mark.parametrize(
    ("name", "won"),
    [
        (
            "r_vignette",
            {
                "Champions": 1,
                "Potential Loyalist": 35,
                "Loyal Customers": 15,
                "Promising": 8,
                "New Customers": 15,
                "Can't Lose Them": 6,
                "At Risk": 7,
                "Need Attention": 4,
                "About To Sleep": 10,
                "Lost": 14,
                "Others": 10,
            },
        ),
        (
            "r_putler",
            {
                "Champions": 8,
                "Loyal Customers": 28,
                "Potential Loyalist": 24,
                "Need Attention": 3,
                "About To Sleep": 3,
                "At Risk": 20,
                "Lost": 3,
                "Others": 36,
            },
        ),
    ],
)
def test_in_the_r_packages_maps_the_first_rule_that_holds_wins(
    name: MapName, won: dict[str, int]
) -> None:
    # R package rfm 0.3.0 (MIT): the maps of its vignette and of its tests, counted.
    assert Counter(segments_of(CODES, name).values()) == won


def test_quartile_maps_are_checked_against_quartiles() -> None:
    # pymc-marketing's default map of quartile codes: 46 codes of 64 have a segment, these not.
    left_out = "121 131 141 142 213 221 231 241 242 321 331 341 342 421 431 432 441 442"
    covered = [code for code in CODES if "5" not in code and code not in left_out]
    assert len(covered) == 46
    quartiles = pl.DataFrame({"rfm_code": covered, "segment": ["covered"] * 46})
    found = findings(quartiles, n=4)
    assert " ".join(found["not covered"]) == left_out
    assert found["covered twice"] == found["cannot occur"] == []


def test_quartiles_get_the_segments_of_pymc_marketing() -> None:
    # pymc-marketing 0.19.2, TestRFM.test_rfm_segmentation_config, its code run: purchase days, the
    # first included, the days since the last, and the mean of a day, each cut as pandas.qcut does.
    raw = [
        *[(1, "2015-01-01", 1), (1, "2015-02-06", 2), (2, "2015-01-01", 2), (3, "2015-01-01", 3)],
        *[(3, "2015-01-02", 1), (3, "2015-01-05", 5), (4, "2015-01-16", 6), (4, "2015-02-02", 3)],
        *[(4, "2015-02-05", 3), (4, "2015-02-05", 6), (5, "2015-01-16", 3), (5, "2015-01-17", 1)],
        *[(5, "2015-01-18", 8), (6, "2015-02-02", 5)],
    ]
    log = pl.DataFrame(raw, schema=["customer_id", "date", "amount"], orient="row")
    customers = rfm.summarize(
        log.with_columns(pl.col("date").str.to_date()), as_of=date(2015, 2, 7)
    ).with_columns(orders=pl.col("frequency") + 1)
    customers = customers.with_columns(total_amount=pl.col("total_amount") / pl.col("orders"))
    measures = ("days_since_last", "orders", "total_amount")
    cuts = {}
    for measure in measures:
        _, edges = pd.qcut(customers[measure].to_list(), 4, duplicates="drop", retbins=True)
        cuts[measure] = (*edges[1:-1].tolist(), math.inf, math.inf)[:3]
    kept = rfm.Breakpoints(4, *(cuts[measure] for measure in measures))
    scored = rfm.score(customers, breakpoints=kept)
    segments = {
        "Premium Customer": "334 443 444 344 434 433 343 333",
        "Repeat Customer": "244 234 232 332 143 233 243",
        "Top Spender": "424 414 144 314 324 124 224 423 413 133 323 313 134",
        "At Risk Customer": "422 223 212 122 222 132 322 312 412 123 214",
        "Inactive Customer": "411 111 113 114 112 211 311",
    }
    pairs = [(code, name) for name, codes in segments.items() for code in codes.split()]
    named = rfm.segment(scored, segments=pl.DataFrame(pairs, schema=TEXT, orient="row"))
    assert named.sort("customer_id")["segment"].to_list() == [
        "Others",  # there "Other"
        "Inactive Customer",
        "At Risk Customer",
        "Premium Customer",
        "Repeat Customer",
        "Top Spender",
    ]


# What other libraries got wrong


@pytest.mark.parametrize("name", ["codes_125", "rf_25"])
def test_our_maps_name_every_code_once(name: MapName) -> None:
    assert findings(name) == {"not covered": [], "covered twice": [], "cannot occur": []}
    assert "Others" not in segments_of(CODES, name).values()


def test_the_r_packages_vignette_map_leaves_10_codes_and_58_are_ambiguous() -> None:
    found = findings("r_vignette")
    assert " ".join(found["not covered"]) == "215 241 251 252 341 351 441 451 541 551"
    assert len(found["covered twice"]) == 58
    assert found["cannot occur"] == []


def test_the_r_packages_test_map_has_three_segments_that_cannot_occur() -> None:
    found = findings("r_putler")
    assert " ".join(found["not covered"]) == (
        "113 114 115 131 141 151 213 214 215 231 241 251 314 315 324 325 341 342 351 352 414 415 "
        "424 425 441 442 451 452 514 515 524 525 541 542 551 552"
    )
    assert len(found["covered twice"]) == 39
    assert found["cannot occur"] == ["New Customers", "Promising", "Can't Lose Them"]


@pytest.mark.parametrize(
    ("name", "best", "worst"),
    [("codes_125", "Champions", "Lost"), ("rf_25", "champions", "hibernating")],
)
def test_the_best_are_champions_and_the_worst_are_not(name: MapName, best: str, worst: str) -> None:
    assert segments_of(["555", "111"], name) == {"555": best, "111": worst}


def test_no_recent_customer_is_at_risk() -> None:
    recent = [code for code in CODES if code[0] in "45"]
    lost = {"At Risk", "Cannot Lose Them", "Hibernating", "Lost", "About To Sleep"}
    assert not lost & set(segments_of(recent).values())
    lost = {"at_risk", "cant_lose", "hibernating", "about_to_sleep"}
    assert not lost & set(segments_of(recent, "rf_25").values())


# Properties


@given(codes=st.lists(st.sampled_from(CODES), min_size=1, max_size=30), name=st.sampled_from(MAPS))
def test_a_built_in_map_as_a_table_gives_the_same_segments(codes: list[str], name: MapName) -> None:
    customers = pl.DataFrame(scored(codes))
    by_name = rfm.segment(customers, segments=name)
    by_table = rfm.segment(customers, segments=rfm.segment_map(name))
    assert by_name.equals(by_table)


@given(data=st.data())
def test_any_further_built_in_map_is_a_table_that_gives_the_same_segments(
    data: st.DataObject,
) -> None:
    codes = data.draw(st.lists(st.sampled_from(CODES), min_size=1, max_size=30, unique=True))
    of_codes = [(code, f"segment {data.draw(st.integers(1, 3))}") for code in codes]
    score = st.integers(1, 5)
    low_high = st.tuples(score, score).map(lambda pair: (min(pair), max(pair)))
    ranges = data.draw(st.lists(st.tuples(low_high, low_high), min_size=1, max_size=5))
    maps = {
        "more_codes": tuple(code_rule(code, segment) for code, segment in of_codes),
        "more_ranges": tuple(SegmentRule(f"segment {i}", r) for i, r in enumerate(ranges)),
    }
    customers = pl.DataFrame(scored(CODES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maps_module, "KNOWN_MAPS", maps)
        for name in ("more_codes", "more_ranges"):
            named: Any = name
            table = rfm.segment_map(named, backend="polars")
            by_name = rfm.segment(customers, segments=named)
            assert by_name.equals(rfm.segment(customers, segments=table))
            if name == "more_codes":
                assert table.rows() == of_codes
                assert table.columns == ["rfm_code", "segment"]
            else:
                assert table.columns == ["segment", "r_min", "r_max", "f_min", "f_max"]


@given(data=st.data(), n=st.integers(2, 5))
def test_what_check_map_says_is_what_segment_does(data: st.DataObject, n: int) -> None:
    low_high = st.tuples(st.integers(1, 6), st.integers(1, 6)).map(sorted)
    ranges = data.draw(st.lists(st.tuples(low_high, low_high), min_size=1, max_size=5))
    rules = pl.DataFrame(
        {
            "segment": [f"segment {i}" for i in range(len(ranges))],
            "r_min": [r[0] for r, _ in ranges],
            "r_max": [r[1] for r, _ in ranges],
            "f_min": [f[0] for _, f in ranges],
            "f_max": [f[1] for _, f in ranges],
        }
    )
    cells = [f"{r}{f}" for r in range(1, n + 1) for f in range(1, n + 1)]
    got = segments_of([f"{cell}1" for cell in cells], rules)
    found = findings(rules, n=n)
    assert found["not covered"] == [c for c in cells if got[f"{c}1"] == "Others"]
    assert set(rules["segment"]) - set(got.values()) == set(found["cannot occur"])
    for cell in cells:
        r, f = map(int, cell)
        first = [
            name
            for name, r_min, r_max, f_min, f_max in rules.rows()
            if r_min <= r <= r_max and f_min <= f <= f_max
        ]
        assert got[f"{cell}1"] == (first or ["Others"])[0]
        assert (cell in found["covered twice"]) == (len(first) > 1)


@given(codes=st.lists(st.sampled_from(CODES), min_size=1, max_size=30))
def test_segments_share_out_all_customers_and_all_money(codes: list[str]) -> None:
    n = len(codes)
    customers = pl.DataFrame(
        {
            **scored(codes),
            "days_since_last": list(range(n)),
            "orders": [1 + i % 4 for i in range(n)],
            "total_amount": [10.0 + i for i in range(n)],
        }
    )
    summary = rfm.segment_summary(rfm.segment(customers))
    for measure in ("orders", "total_amount"):
        assert summary[measure].sum() == pytest.approx(customers[measure].sum())
    assert summary["n_customers"].sum() == n
    assert summary["customer_share"].sum() == pytest.approx(1)
    assert summary["amount_share"].sum() == pytest.approx(1)
    assert summary["total_amount"].is_sorted(descending=True)


# Shape


def test_every_engine_gives_the_same_segments(make_frame: MakeFrame) -> None:
    frame = make_frame(scored(CODES))
    for name in MAPS:
        named = rfm.segment(frame, segments=name)
        assert type(named) is type(frame)
        assert columns(named)["segment"] == list(segments_of(CODES, name).values())


def test_a_map_may_come_on_any_engine(make_frame: MakeFrame) -> None:
    codes = make_frame({"rfm_code": ["535", "111"], "segment": ["good", "poor"]})
    expected = {"535": "good", "111": "poor", "222": "Others"}
    assert segments_of(["535", "111", "222"], codes) == expected
    numbers = make_frame({"rfm_code": [535, 111], "segment": ["good", "poor"]})
    assert segments_of(["535", "111", "222"], numbers) == expected
    ranges = make_frame(
        {
            "segment": ["good", "fair"],
            "r_min": [2, 1],
            "r_max": [5, 5],
            "f_min": [2, 1],
            "f_max": [5, 5],
            "m_min": [2, 1],
            "m_max": [5, 2],
        }
    )
    assert segments_of(["535", "111", "115"], ranges) == {
        "535": "good",
        "111": "fair",
        "115": "Others",
    }


def test_a_map_with_a_segment_for_each_code_works(make_frame: MakeFrame) -> None:
    each = pl.DataFrame({"rfm_code": CODES, "segment": [f"segment {code}" for code in CODES]})
    named = rfm.segment(make_frame(scored(CODES)), segments=each)
    assert columns(named)["segment"] == [f"segment {code}" for code in CODES]


@pytest.mark.parametrize("backend", ["polars", "pandas", "pyarrow"])
def test_a_map_is_a_table_to_print_and_edit(backend: Any) -> None:
    codes = nw.from_native(rfm.segment_map("codes_125", backend=backend), eager_only=True)
    assert codes.implementation == nw.Implementation.from_backend(backend)
    assert codes.columns == ["rfm_code", "segment"]
    assert codes["rfm_code"].dtype == nw.String
    assert len(codes) == 125
    cells = nw.from_native(rfm.segment_map("rf_25", backend=backend), eager_only=True)
    assert cells.columns == ["segment", "r_min", "r_max", "f_min", "f_max"]
    rules = nw.from_native(rfm.segment_map("r_vignette", backend=backend), eager_only=True)
    assert rules.columns == [*cells.columns, "m_min", "m_max"]
    assert rules.row(1) == ("Potential Loyalist", 3, 5, 3, 5, 2, 5)


def test_tables_that_start_from_nothing_are_pandas() -> None:
    assert isinstance(rfm.segment_map("rf_25"), pd.DataFrame)
    for name in MAPS:
        assert isinstance(rfm.check_map(name), pd.DataFrame)


def test_findings_name_the_segment_and_the_reason(make_frame: MakeFrame) -> None:
    rules: dict[str, list[Any]] = {
        "segment": ["good", "fair", "best", "far"],
        "r_min": [2, 1, 2, 3],
        "r_max": [2, 2, 2, 3],
    }
    rules |= {"f_min": [1, 2, 2, 1], "f_max": [2, 2, 2, 1]}
    found = rfm.check_map(make_frame(rules), n=2)
    assert [tuple(row.values()) for row in rows(found)] == [
        ("not covered", "11", "Others", "no row covers it"),
        ("covered twice", "22", "good", "also in fair, best, further down"),
        ("cannot occur", None, "best", "earlier rows cover all its codes"),
        ("cannot occur", None, "far", "no code of scores 1 to 2"),
    ]


def test_no_findings_are_an_empty_table_of_text() -> None:
    for backend in ("polars", "pandas", "pyarrow"):
        found = nw.from_native(rfm.check_map(rfm.segment_map("rf_25", backend=backend)))
        assert found.implementation == nw.Implementation.from_backend(backend)
        assert found.collect_schema() == dict.fromkeys(
            ("problem", "rfm_code", "segment", "detail"), nw.String()
        )


def test_without_amounts_the_map_of_25_cells_works(make_frame: MakeFrame) -> None:
    customers = scored(["555", "111"])
    del customers["m_score"]
    named = rfm.segment(make_frame(customers), segments="rf_25")
    assert columns(named)["segment"] == ["champions", "hibernating"]


def test_a_segment_summary_counts_and_compares(make_frame: MakeFrame) -> None:
    customers: dict[str, list[Any]] = {
        "customer_id": ["ann", "ben", "cid", "dan"],
        "days_since_last": [3, 200, 301, 10],
        "orders": [9, 1, 3, 1],
        "total_amount": [800.0, 20.0, 80.0, 100.0],
        "segment": ["best", "lost", "lost", "new"],
    }
    summary = rfm.segment_summary(make_frame(customers))
    assert columns(summary) == {
        "segment": ["best", "lost", "new"],
        "n_customers": [1, 2, 1],
        "customer_share": [0.25, 0.5, 0.25],
        "orders": [9, 4, 1],
        "mean_days_since_last": [3.0, 250.5, 10.0],
        "mean_orders": [9.0, 2.0, 1.0],
        "total_amount": [800.0, 100.0, 100.0],
        "amount_share": [0.8, 0.1, 0.1],
        "mean_amount": [800.0, 50.0, 100.0],
        "average_order_value": [pytest.approx(800 / 9), 25.0, 100.0],
    }
    schema = nw.from_native(summary).collect_schema()
    assert (schema["n_customers"], schema["orders"]) == (nw.Int64, nw.Int64)


def test_without_amounts_the_largest_segment_comes_first(make_frame: MakeFrame) -> None:
    customers: dict[str, list[Any]] = {
        "customer_id": ["ann", "ben", "cid"],
        "days_since_last": [3, 200, 301],
        "orders": [9, 1, 3],
        "segment": ["best", "lost", "lost"],
    }
    summary = columns(rfm.segment_summary(make_frame(customers)))
    assert summary["segment"] == ["lost", "best"]
    assert list(summary)[-1] == "mean_orders"


@pytest.mark.parametrize("returned", [-5.0, -20.0])
def test_shares_of_no_money_are_unknown(make_frame: MakeFrame, returned: float) -> None:
    customers: dict[str, list[Any]] = {
        "customer_id": ["ann", "ben"],
        "days_since_last": [3, 200],
        "orders": [1, 1],
        "total_amount": [5.0, returned],
        "segment": ["best", "lost"],
    }
    summary = columns(rfm.segment_summary(make_frame(customers)))
    assert summary["amount_share"] == [None, None]
    assert summary["average_order_value"] == [5.0, returned]


def test_no_customers_are_no_segments(make_eager: MakeFrame) -> None:
    one = {**scored(["555"]), "days_since_last": [3], "orders": [1], "total_amount": [5.0]}
    nobody = nw.from_native(make_eager(one), eager_only=True).head(0).to_native()
    named = rfm.segment(nobody)
    assert rows(named) == []
    assert rows(rfm.segment_summary(named)) == []


def test_a_map_without_rows_covers_nothing() -> None:
    nothing = pl.DataFrame({"rfm_code": [], "segment": []}, schema_overrides=TEXT)
    assert segments_of(["555"], nothing) == {"555": "Others"}
    assert findings(nothing)["not covered"] == CODES


def test_row_order_and_index_of_pandas_stay() -> None:
    frame = pd.DataFrame(scored(["111", "555", "311"]), index=[7, 7, 2])
    named = rfm.segment(frame)
    assert named.index.tolist() == [7, 7, 2]
    assert named["segment"].tolist() == [
        "Infrequent, least recent",
        "Frequent, most recent",
        "Infrequent, less recent",
    ]
    assert "segment" not in frame.columns


# Refusals


def customers_scored_to(n: int) -> pl.DataFrame:
    """Thirty customers with scores from 1 to n."""
    thirty = pl.DataFrame(
        {
            "customer_id": range(30),
            "days_since_last": range(30),
            "orders": range(30, 0, -1),
            "total_amount": [float(30 - i) for i in range(30)],
        }
    )
    return rfm.score(thirty, breakpoints=rfm.breakpoints(thirty, n=n))


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("n", range(2, 10))
def test_a_built_in_map_is_for_five_scores(n: int, name: MapName) -> None:
    customers = customers_scored_to(n)
    advice = (
        "\nScore customers with rfm.breakpoints(n=5), or edit rfm.segment_map() for your scores "
        "and pass the table."
    )
    if n == 5:
        best = {"rf_25": "champions"}.get(name, "Champions")
        assert rfm.segment(customers, segments=name)["segment"][0] == best
    elif n > 5:
        with pytest.raises(InvalidArgumentError) as caught:
            rfm.segment(customers, segments=name)
        assert str(caught.value) == (
            f"`segments`: the map {name!r} is for scores from 1 to 5, but customers have scores up "
            f"to {n}.{advice}"
        )
    else:
        with pytest.warns(CrmkitWarning) as warned:
            rfm.segment(customers, segments=name)
        assert str(warned[0].message) == (
            f"scored customers: no score is above {n}, and the map {name!r} is for scores from 1 "
            f"to 5: its best segments stay empty.{advice} Write n=5 where these are a part of all "
            "customers."
        )
    if n != 5:  # a plan is not looked at; with `n` nothing need be
        with pytest.raises(InvalidArgumentError) as caught:
            rfm.segment(customers.lazy(), segments=name, n=n)
        assert str(caught.value) == (
            f"`segments`: the map {name!r} is for scores from 1 to 5, but customers have {n} "
            f"scores.{advice}"
        )


def test_a_part_of_all_customers_may_lack_the_best_score(make_frame: MakeFrame) -> None:
    lesser = make_frame(scored(["111", "222", "333", "444", "322", "433"]))
    named = rfm.segment(lesser, n=5)
    assert columns(named)["segment"][1:4] == [
        "Infrequent, least recent",
        "Medium frequency, less recent",
        "Frequent, most recent",
    ]
    few = make_frame(scored(["111", "333"]))  # fewer customers than scores
    assert columns(rfm.segment(few))["segment"] == [
        "Infrequent, least recent",
        "Medium frequency, less recent",
    ]


def test_the_default_map_names_ranks_and_no_stage_of_life(make_frame: MakeFrame) -> None:
    # Frequency 4 to 5, 3, and 1 to 2; recency likewise; the amount does not matter.
    often = {1: "Infrequent", 2: "Infrequent", 3: "Medium frequency", 4: "Frequent", 5: "Frequent"}
    recent = {1: "least", 2: "least", 3: "less", 4: "most", 5: "most"}
    codes = [f"{r}{f}{m}" for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)]
    found = columns(rfm.segment(make_frame(scored(codes))))["segment"]
    assert found == [f"{often[int(c[1])]}, {recent[int(c[0])]} recent" for c in codes]
    words = {word.strip(",").lower() for name in found for word in name.split()}
    stages = {word for stage in lifecycle.STAGES for word in stage.split()}
    assert words.isdisjoint(stages | {"hibernating", "sleep", "customers"})


def test_a_map_of_ones_own_is_for_any_scores() -> None:
    rules = pl.DataFrame(
        {"segment": ["top", "rest"], "r_min": [3, 1], "r_max": 3, "f_min": [3, 1], "f_max": 3}
    )
    named = rfm.segment(customers_scored_to(3), segments=rules)["segment"].to_list()
    assert named == ["top"] * 10 + ["rest"] * 20


def test_unscored_customers_are_refused_by_name(make_frame: MakeFrame) -> None:
    unscored = make_frame({"customer_id": ["ann"], "orders": [1]})
    with pytest.raises(MissingColumnsError) as caught:
        rfm.segment(unscored)
    assert str(caught.value) == (
        "scored customers: no column `r_score`, `f_score` among `customer_id`, `orders`.\n"
        "Build this table with crmkit.rfm.score()."
    )


def test_a_map_that_looks_at_amounts_needs_scores_of_amounts(make_frame: MakeFrame) -> None:
    customers = scored(["555"])
    del customers["m_score"]
    with pytest.raises(MissingColumnsError) as caught:
        rfm.segment(make_frame(customers), segments="codes_125")
    assert str(caught.value) == (
        "scored customers: no column `m_score`, and this segment map uses it.\n"
        'Score customers by amount too, or use a map without amounts, such as "rf_25".'
    )


def test_unsegmented_customers_have_no_summary(make_frame: MakeFrame) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        rfm.segment_summary(
            make_frame({"customer_id": ["ann"], "days_since_last": [3], "orders": [1]})
        )
    assert str(caught.value) == (
        "segmented customers: no column `segment` among `customer_id`, `days_since_last`, "
        "`orders`.\nBuild this table with crmkit.rfm.segment()."
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [("codes_152", "\nDid you mean 'codes_125'?"), ("rf25", "\nDid you mean 'rf_25'?"), ("x", "")],
)
def test_a_misspelt_map_is_refused(name: Any, advice: str) -> None:
    calls: list[tuple[str, Any]] = [
        ("name", lambda: rfm.segment_map(name)),
        ("segments", lambda: rfm.check_map(name)),
        ("segments", lambda: rfm.segment(pl.DataFrame(scored(["555"])), segments=name)),
    ]
    for argument, call in calls:
        with pytest.raises(InvalidArgumentError) as caught:
            call()
        assert str(caught.value) == (
            f"`{argument}` must be one of 'rf_ranks', 'codes_125', 'rf_25', 'r_vignette', "
            f"'r_putler', got {name!r}.{advice}"
        )


def test_a_map_by_a_name_of_another_type_is_refused() -> None:
    number: Any = 125
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.segment_map(number)
    assert str(caught.value) == (
        "`name` must be one of 'rf_ranks', 'codes_125', 'rf_25', 'r_vignette', 'r_putler', got 125."
    )
    for call in (rfm.check_map, lambda it: rfm.segment(pl.DataFrame(scored(["111"])), segments=it)):
        with pytest.raises(InvalidArgumentError, match="segment map: a int is not a table"):
            call(number)


def test_a_misspelt_backend_is_refused() -> None:
    backend: Any = "panda"
    with pytest.raises(InvalidArgumentError) as caught:
        rfm.segment_map("rf_25", backend=backend)
    assert str(caught.value) == (
        "`backend` must be one of 'pandas', 'polars', 'pyarrow', got 'panda'.\n"
        "Did you mean 'pandas'?"
    )


def test_a_code_with_two_segments_is_refused_and_listed(make_frame: MakeFrame) -> None:
    twice = make_frame({"rfm_code": ["535", "111", "535"], "segment": ["good", "poor", "fair"]})
    with pytest.raises(InvalidRowsError) as caught:
        segments_of(["535"], twice)
    assert str(caught.value) == (
        "segment map: `rfm_code` is repeated in 2 of 3 rows (rfm_code '535').\n"
        "Keep one segment for each code; crmkit.rfm.check_map() lists all overlaps."
    )
    assert (caught.value.n_rows, caught.value.examples) == (2, ("535",))
    assert findings(twice)["covered twice"] == ["535"]


@pytest.mark.parametrize("code", ["55", "5555", "505", "5a5"])
def test_a_code_that_is_not_three_scores_is_refused(code: str) -> None:
    with pytest.raises(InvalidRowsError) as caught:
        segments_of(["555"], pl.DataFrame({"rfm_code": ["555", code], "segment": ["a", "b"]}))
    assert str(caught.value) == (
        f"segment map: `rfm_code` {code!r} is not three digits from 1 to 9 (row 1).\n"
        "Write the scores side by side, such as 535."
    )


@pytest.mark.parametrize(("given", "missing"), [("m_min", "m_max"), ("m_max", "m_min")])
def test_a_map_without_its_columns_is_refused(
    make_frame: MakeFrame, given: str, missing: str
) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        rfm.check_map(make_frame({"segment": ["a"], "r_min": [1], "r_max": [5], given: [1]}))
    assert str(caught.value) == (
        f"segment map: no column `f_min`, `f_max`, `{missing}` among `segment`, `r_min`, `r_max`, "
        f"`{given}`.\nBuild this table with crmkit.rfm.segment_map()."
    )


def test_a_range_that_runs_downwards_is_refused(make_eager: MakeFrame) -> None:
    rules: dict[str, list[Any]] = {
        "segment": ["a", "b"],
        "r_min": [1, 5],
        "r_max": [5, 4],
        "f_min": [1, 1],
    }
    with pytest.raises(InvalidRowsError) as caught:
        segments_of(["555"], make_eager({**rules, "f_max": [5, 5]}))
    assert str(caught.value) == (
        "segment map: `r_min` exceeds `r_max`, yet a range runs upwards, in 1 of 2 rows (row 1).\n"
        "Build this table with crmkit.rfm.segment_map()."
    )

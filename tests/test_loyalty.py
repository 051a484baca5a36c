"""Complaints, repeat patronage, types of loyalty and scores."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from crmkit import loyalty
from crmkit.errors import CrmkitWarning, InvalidArgumentError
from tests.conftest import rows

DAY = date(2024, 1, 1)


def at(*days: int) -> list[date]:
    return [DAY + timedelta(days=day) for day in days]


# Complaints: window of days 0 to 99, horizon of days 100 to 149

WINDOW: dict[str, Any] = {"as_of": DAY + timedelta(days=149), "window_days": 100}
WINDOW |= {"horizon_days": 50}


def said(**columns: list[Any]) -> pl.DataFrame:
    given = {"customer_id": pl.String, "contact_date": pl.Date, "is_complaint": pl.Boolean}
    return pl.DataFrame(columns, schema_overrides=given)


def many() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make 40 buyers, of whom 10 complained and 3 of these bought again, 20 of the others."""
    ids = [f"c{i:02d}" for i in range(40)]
    again = [*ids[:3], *ids[10:30]]
    orders = pl.DataFrame({"customer_id": ids + again, "date": at(*[10] * 40, *[120] * 23)})
    talks = said(
        customer_id=[*ids[:10], "c00", "nobody", "c39"],
        contact_date=at(*[20] * 10, 30, 20, 20),
        is_complaint=[True] * 12 + [False],
    )
    return talks, orders


def test_complaints_are_counted_among_buyers() -> None:
    (found,) = rows(loyalty.complaints(*many(), **WINDOW))
    assert found["n_buyers"] == 40
    assert found["n_complaints"] == 12
    assert found["n_complained"] == 10
    assert found["n_complained_others"] == 1
    assert found["complaint_rate"] == 0.25
    assert (found["n_repeated"], found["repeated_rate"]) == (1, 0.1)
    assert found["repurchase_complained"] == 0.3
    assert found["repurchase_others"] == pytest.approx(2 / 3)
    assert found["repurchase_difference"] == pytest.approx(0.3 - 2 / 3)


def test_the_intervals_are_those_of_wilson_and_newcombe() -> None:
    (found,) = rows(loyalty.complaints(*many(), **WINDOW))

    def wilson(k: float, n: float) -> tuple[float, float]:  # Newcombe (1998), eq. of method 3
        z, p = 1.959963984540054, k / n
        root = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        whole = 1 + z * z / n
        return (p + z * z / (2 * n) - root) / whole, (p + z * z / (2 * n) + root) / whole

    low, high = wilson(10, 40)
    assert found["complaint_rate_lower"] == pytest.approx(low)
    assert found["complaint_rate_upper"] == pytest.approx(high)
    (l1, u1), (l2, u2) = wilson(3, 10), wilson(20, 30)
    p1, p2 = 0.3, 2 / 3
    lower = p1 - p2 - np.sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2)
    upper = p1 - p2 + np.sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)
    assert found["difference_lower"] == pytest.approx(lower)
    assert found["difference_upper"] == pytest.approx(upper)


@pytest.mark.parametrize(("day", "n"), [(-1, 0), (0, 1), (99, 1), (100, 0)])
def test_the_window_has_its_first_and_last_day(day: int, n: int) -> None:
    orders = pl.DataFrame({"customer_id": ["a"], "date": at(50)})
    talks = said(customer_id=["a"], contact_date=at(day), is_complaint=[True])
    (found,) = rows(loyalty.complaints(talks, orders, **WINDOW))
    assert found["n_complaints"] == n


def test_open_complaints_count_in_the_time_to_answer() -> None:
    # Answered after 2, 4 and 6 days of six: open 5/6, 4/6, 3/6, so the median is 6 days.
    orders = pl.DataFrame({"customer_id": ["a"], "date": at(50)})
    talks = said(
        customer_id=["a"] * 6,
        contact_date=at(*[10] * 6),
        is_complaint=[True] * 6,
        answered_on=[*at(12, 14, 16), None, *at(200), None],
    )
    (found,) = rows(loyalty.complaints(talks, orders, **WINDOW))
    assert (found["n_open"], found["days_to_answer"]) == (3, 6.0)
    (fewer,) = rows(loyalty.complaints(talks.slice(1), orders, **WINDOW))
    assert (fewer["n_open"], fewer["days_to_answer"]) == (3, None)


def test_nobody_to_count_gives_nulls() -> None:
    orders = pl.DataFrame({"customer_id": ["a"], "date": at(50)})
    talks = said(customer_id=[], contact_date=[], is_complaint=[])
    (found,) = rows(loyalty.complaints(talks, orders, **WINDOW))
    assert (found["n_buyers"], found["n_complained"], found["complaint_rate"]) == (1, 0, 0.0)
    assert found["repeated_rate"] is None
    assert found["repurchase_complained"] is None
    assert found["difference_lower"] is None


def test_a_return_is_no_repurchase() -> None:
    orders = pl.DataFrame({"customer_id": ["a", "a"], "date": at(50, 120), "amount": [10.0, -10.0]})
    talks = said(customer_id=["a"], contact_date=at(60), is_complaint=[True])
    (found,) = rows(loyalty.complaints(talks, orders, **WINDOW))
    assert found["repurchase_complained"] == 0.0


# Repeat patronage


def test_periods_are_those_of_the_calendar() -> None:
    orders = pl.DataFrame(
        {
            "customer_id": ["a", "a", "a", "b", "c"],
            "date": [
                *(date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 29)),
                *(date(2024, 4, 30), date(2024, 5, 1)),
            ],
        }
    )
    found = rows(loyalty.behaviour(orders, as_of="2024-04-30"))
    assert found == [
        {"customer_id": "a", "n_periods": 4, "n_active_periods": 2, "repeat_share": 1 / 3},
        {"customer_id": "b", "n_periods": 1, "n_active_periods": 1, "repeat_share": None},
    ]


# Types

ASKED = pl.DataFrame(
    {
        "customer_id": list("abcdefgh"),
        "liking": [4.0, 3.9, 4.0, 1.0, 1.0, 1.0, 1.0, None],
        "repeat_share": [0.5, 0.5, 0.49, 0.49, 0.9, 0.9, 0.9, 0.9],
        "no_choice": [1, 0, 0, 1, 1, 0, 0, 1],
        "near": [False, False, False, False, True, False, None, True],
        "points": [False, False, False, False, True, True, False, True],
    }
)
FLAGS = {"monopoly": "no_choice", "convenience": "near", "incentive": "points"}
TYPES: dict[str, Any] = {"attitude": "liking", "repeat": "repeat_share", "cuts": (4, 0.5)}


def test_the_first_class_that_fits_counts_and_the_others_are_named() -> None:
    found = rows(loyalty.types(ASKED, **TYPES, flags=FLAGS))
    kinds = [(r["dick_basu"], r["loyalty_class"], r["other_classes"]) for r in found]
    assert kinds == [
        ("loyal", "premium", ""),  # on both cuts, which count as high
        ("spurious", "inertia", ""),
        ("latent", "latent", ""),
        ("none", "none", ""),  # without a choice, and yet buys seldom
        ("spurious", "monopoly", "convenience, incentive"),
        ("spurious", "incentive", ""),
        ("spurious", "inertia", ""),  # whether it is near is unknown
        (None, None, None),
    ]


def test_by_default_the_cuts_are_the_medians() -> None:
    found = rows(loyalty.types(ASKED, attitude="liking", repeat="repeat_share"))
    due = rows(loyalty.types(ASKED, attitude="liking", repeat="repeat_share", cuts=(1.0, 0.7)))
    assert found == due  # medians of 1, 1, 1, 1, 3.9, 4, 4 and of .49, .49, .5, .5, .9, .9, .9, .9


def test_six_customers_of_reinartz_and_kumar() -> None:
    # Reinartz & Kumar (2002), the matrix; cuts 60 and 12, values on the cut count as high.
    customers = pl.DataFrame(
        {
            "customer_id": list("abcdef"),
            "profit": [120, 120, 20, 20, 60, 60],
            "months": [30, 5, 30, 4, 12, 11],
        }
    )
    found = loyalty.profit_types(customers, profit="profit", duration="months", cuts=(60, 12))
    assert found["profit_type"].to_list() == [
        *("true friend", "butterfly", "barnacle", "stranger", "true friend", "butterfly"),
    ]


def test_shares_of_customers_and_profit_sum_to_one() -> None:
    typed = loyalty.types(ASKED, **TYPES, flags=FLAGS).with_columns(margin=pl.Series(range(8)))
    found = rows(loyalty.type_summary(typed, profit="margin"))
    assert sum(row["customer_share"] for row in found) == pytest.approx(1)
    assert sum(row["profit_share"] for row in found) == pytest.approx(1)
    assert found[0] == {
        "loyalty_class": "inertia",
        "n_customers": 2,
        "customer_share": 0.25,
        "type_profit": 7.0,
        "profit_share": 0.25,
    }
    assert [row["type_profit"] for row in found if row["loyalty_class"] is None] == [7.0]


def scored(*, with_interaction: bool) -> pl.DataFrame:
    """Make customers whose outcome hangs on both scores, and on being loyal where it is asked."""
    draw = np.random.default_rng(7)
    a, r = draw.random(400), draw.random(400)
    both = (a >= 0.5) & (r >= 0.5)
    y = a + r + both * with_interaction + draw.normal(0, 0.2, 400)
    table = pl.DataFrame({"customer_id": range(400), "a": a, "r": r, "y": y})
    return loyalty.types(table, attitude="a", repeat="r", cuts=(0.5, 0.5))


def test_types_that_add_nothing_to_the_scores_are_warned_of() -> None:
    typed = scored(with_interaction=False)
    with pytest.warns(CrmkitWarning, match="The types add nothing to the two scores"):
        loyalty.type_summary(typed, by="dick_basu", scores=("a", "r"), outcome="y")


def test_types_that_add_something_are_not() -> None:
    typed = scored(with_interaction=True)
    found = rows(loyalty.type_summary(typed, by="dick_basu", scores=("a", "r"), outcome="y"))
    means = {row["dick_basu"]: row["mean_outcome"] for row in found}
    assert means["loyal"] > means["latent"] > means["none"]


# Scores


def test_scores_are_means_of_known_answers_on_the_scale() -> None:
    answers = pl.DataFrame(
        {"customer_id": [1, 2, 3], "like": [7, 1, None], "leave": [1, 7, None], "buy": [4, 4, 4]}
    )
    found = rows(
        loyalty.scores(
            answers,
            emotional=["like", "leave"],
            behavioural=["buy"],
            reversed_items=["leave"],
            scale=(1, 7),
        )
    )
    assert [row["emotional_score"] for row in found] == [1.0, 0.0, None]
    assert [row["behavioural_score"] for row in found] == [0.5] * 3


# Refusals


def test_a_class_without_a_flag_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        loyalty.types(ASKED, **TYPES, flags={"premium": "near"})
    assert str(caught.value) == (
        "`flags` must give columns by 'monopoly', 'convenience', 'price', 'incentive', got "
        "{'premium': 'near'}.\n"
        'Write {"price": "only_at_discount"}.'
    )


def test_an_answer_outside_the_scale_is_refused() -> None:
    answers = pl.DataFrame({"customer_id": ["a"], "like": [6]})
    with pytest.raises(ValueError, match="answers: `like` is above 5 in 1 of 1 rows"):
        loyalty.scores(answers, emotional=["like"])

"""Recommended actions by stage and tier."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import actions, lifecycle
from crmkit.errors import InvalidArgumentError, InvalidRowsError, MissingColumnsError
from tests.conftest import MakeFrame, rows

CUSTOMERS: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c", "d", "e"],
    "stage": ["at risk", "active", "prospect", "lost", "new"],
    "tier": ["diamond", "silver", None, "gold", "diamond"],
}
TIERS = ("diamond", "gold", "silver", None)


def test_every_stage_and_tier_has_an_action_of_its_own_stage() -> None:
    everybody = pl.DataFrame(
        [(stage, tier) for stage in lifecycle.STAGES for tier in TIERS],
        schema={"stage": pl.String, "tier": pl.String},
        orient="row",
    )
    advised = actions.recommend(everybody)
    assert advised["action"].null_count() == 0
    assert advised["action_reason"].null_count() == 0
    fallback = actions.plan(backend="polars").row(-1, named=True)["reason"]
    assert fallback not in advised["action_reason"].to_list()


def test_every_rule_of_the_plan_can_be_met() -> None:
    plan = actions.plan(backend="polars")
    everybody = pl.DataFrame(
        [(s, t) for s in (*lifecycle.STAGES, "other") for t in TIERS],
        schema={"stage": pl.String, "tier": pl.String},
        orient="row",
    )
    met = set(actions.recommend(everybody).select("action", "action_reason").rows())
    assert set(plan.select("action", "reason").rows()) == met


def test_the_first_rule_that_fits_counts(make_frame: MakeFrame) -> None:
    found = rows(actions.recommend(make_frame(CUSTOMERS)), by="customer_id")
    assert [row["action"] for row in found] == [
        "call now",
        "serve by automatic channels",
        "invite to a first order",
        "try one win-back offer",
        "welcome in person",
    ]


@given(
    rules=st.lists(
        st.tuples(
            st.sampled_from(["any", "lost", "new", "moved"]),
            st.sampled_from(["any", "gold", "silver"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_of_any_plan_the_first_rule_that_fits_counts(rules: list[tuple[str, str]]) -> None:
    plan = pl.DataFrame(
        [(stage, tier, f"rule {n}", f"why {n}") for n, (stage, tier) in enumerate(rules)],
        schema=("stage", "tier", "action", "reason"),
        orient="row",
    )
    everybody = list(product(["lost", "new", "active"], ["gold", "silver", None]))
    advised = actions.recommend(pd.DataFrame(everybody, columns=["stage", "tier"]), plan=plan)
    for (stage, tier), found in zip(everybody, advised["action_reason"], strict=True):
        first = next(
            (n for n, (s, t) in enumerate(rules) if s in ("any", stage) and t in ("any", tier)),
            None,
        )
        assert (found == f"why {first}") if first is not None else pd.isna(found)


def test_your_plan_takes_the_place_of_ours(make_frame: MakeFrame) -> None:
    plan = pd.DataFrame(
        {"stage": ["lost"], "tier": ["any"], "action": ["let go"], "reason": ["our policy"]}
    )
    found = rows(actions.recommend(make_frame(CUSTOMERS), plan=plan), by="customer_id")
    assert [row["action"] for row in found] == [None, None, None, "let go", None]


def test_rows_keep_their_order_and_index() -> None:
    table = pd.DataFrame(CUSTOMERS, index=[3, 3, 1, 2, 0])
    found = actions.recommend(table)
    assert found.index.tolist() == [3, 3, 1, 2, 0]
    assert found.columns.tolist() == [*CUSTOMERS, "action", "action_reason"]


def test_a_lazy_table_is_not_run(make_frame: MakeFrame) -> None:
    table = make_frame(CUSTOMERS)
    assert type(actions.recommend(table)) is type(table)


def test_customers_without_a_stage_are_refused() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        actions.recommend(pl.DataFrame({"tier": ["gold"]}))
    assert str(caught.value) == (
        "staged and tiered customers: no column `stage` among `tier`.\n"
        "Add `stage` with crmkit.lifecycle.assign()."
    )


def test_customers_without_a_tier_are_refused() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        actions.recommend(pl.DataFrame({"stage": ["new"]}))
    assert str(caught.value) == (
        "staged and tiered customers: no column `tier` among `stage`.\n"
        "Build this table with crmkit.tiers.assign()."
    )


def test_a_misspelt_backend_is_refused() -> None:
    backend: Any = "pyarow"
    with pytest.raises(InvalidArgumentError) as caught:
        actions.plan(backend=backend)
    assert str(caught.value) == (
        "`backend` must be one of 'pandas', 'polars', 'pyarrow', got 'pyarow'.\n"
        "Did you mean 'pyarrow'?"
    )


def test_the_plan_is_a_pandas_table_and_the_default_of_recommend() -> None:
    plan = actions.plan()
    assert isinstance(plan, pd.DataFrame)
    by_default = actions.recommend(pl.DataFrame(CUSTOMERS))
    assert by_default.equals(actions.recommend(pl.DataFrame(CUSTOMERS), plan=plan))


def test_dir_lists_public_names_only() -> None:
    public = [name for name in dir(actions) if name.isidentifier() and not name.startswith("_")]
    assert public == actions.__all__


def test_a_plan_with_a_hole_is_refused() -> None:
    plan = pl.DataFrame(
        {"stage": ["new"], "tier": ["any"], "action": [None], "reason": ["x"]},
        schema_overrides={"action": pl.String},
    )
    with pytest.raises(InvalidRowsError) as caught:
        actions.recommend(pl.DataFrame(CUSTOMERS), plan=plan)
    assert str(caught.value) == (
        "action plan: `action` is null in 1 of 1 rows (row 0).\n"
        "Build this table with crmkit.actions.plan()."
    )


def test_an_empty_plan_is_refused() -> None:
    plan = actions.plan().head(0)
    with pytest.raises(InvalidArgumentError) as caught:
        actions.recommend(pl.DataFrame(CUSTOMERS), plan=plan)
    assert str(caught.value) == (
        "action plan: the table is empty.\nStart from crmkit.actions.plan() and edit it."
    )


def test_what_is_unknown_is_counted_and_never_summed_as_zero(make_frame: MakeFrame) -> None:
    customers = make_frame(
        {
            "customer_id": ["ann", "ben", "cid", "dee"],
            "action": ["call now", "call now", "invite", "invite"],
            "clv": [60.0, None, None, None],
            "value_at_risk": [20.0, None, None, None],
        }
    )
    found = rows(actions.summary(customers), by="action")
    assert found == [
        {
            "action": "call now",
            "n_customers": 2,
            "n_unknown": 1,
            "clv": 60.0,
            "value_at_risk": 20.0,
        },
        {
            "action": "invite",
            "n_customers": 2,
            "n_unknown": 2,
            "clv": None,
            "value_at_risk": None,
        },
    ]
    (first,) = rows(actions.call_list(customers))
    assert first["customer_id"] == "ann"


def test_columns_to_keep_stand_right_after_the_customer(make_frame: MakeFrame) -> None:
    customers = make_frame(
        {
            "customer_id": ["ann", "ben"],
            "action": ["call now", "call now"],
            "value_at_risk": [20.0, 30.0],
            "phone": [1, 2],
        }
    )
    found = rows(actions.call_list(customers, keep=["phone"]))
    assert list(found[0]) == ["customer_id", "phone", "action", "value_at_risk"]
    assert [row["phone"] for row in found] == [2, 1]
    with pytest.raises(MissingColumnsError) as caught:
        actions.call_list(customers, keep=["phone", "town"])
    assert str(caught.value) == (
        "customers with actions: no column `town`, and `keep` names it.\n"
        "Add it to the table, or leave it out of `keep`."
    )


def test_nobody_is_listed_whose_action_is_to_stop_contact(make_frame: MakeFrame) -> None:
    customers = make_frame(
        {
            "customer_id": ["ann", "ben", "cid", "dee"],
            "action": ["call now", "stop paid contact", None, "let go"],
            "value_at_risk": [20.0, 90.0, 30.0, 80.0],
        }
    )
    by_default = rows(actions.call_list(customers))
    assert [row["customer_id"] for row in by_default] == ["dee", "cid", "ann"]
    own = rows(actions.call_list(customers, no_contact=["let go"]))
    assert [row["customer_id"] for row in own] == ["ben", "cid", "ann"]
    everybody = rows(actions.call_list(customers, no_contact=()))
    assert [row["customer_id"] for row in everybody] == ["ben", "dee", "cid", "ann"]


def test_without_a_forecast_of_value_only_value_at_risk_is_summed(make_frame: MakeFrame) -> None:
    customers = make_frame(
        {"customer_id": ["ann"], "action": ["call now"], "value_at_risk": [20.0]}
    )
    assert rows(actions.summary(customers)) == [
        {"action": "call now", "n_customers": 1, "n_unknown": 0, "value_at_risk": 20.0}
    ]

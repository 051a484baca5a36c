"""Did it work: treated customers beside a control group, and rules beside one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from crmkit import campaigns
from crmkit.errors import InvalidArgumentError, InvalidRowsError


def counts(treated: tuple[int, int], control: tuple[int, int]) -> pl.DataFrame:
    """Make an experiment of those who did, of all, treated and not."""
    rows = [(1, treated), (0, control)]
    return pl.DataFrame(
        {
            "treated": [arm for arm, (_, n) in rows for _ in range(n)],
            "did": [int(i < k) for _, (k, n) in rows for i in range(n)],
        }
    )


# Published


def test_an_offer_that_raised_churn_is_said_to_do_harm() -> None:
    # Rates of Ascarza, Iyengar & Schleicher (2016); z and Newcombe interval of statsmodels 0.15.
    found = campaigns.result(
        counts((1000, 10_000), (640, 10_000)), treated="treated", outcome="did", good=False
    ).row(0, named=True)
    assert found["lift"] == pytest.approx(0.036, abs=1e-12)
    assert -found["upper"] == pytest.approx(-0.0436069541199317, abs=1e-9)
    assert -found["lower"] == pytest.approx(-0.028419332100412142, abs=1e-9)
    assert found["p_value"] < 1e-19
    assert found["verdict"] == "The campaign did harm: 10.0 % with it, 6.4 % without."


def test_the_sample_size_is_that_of_r() -> None:
    # R, help of power.prop.test: p1 = .50, p2 = .75, power = .90 gives n = 76.7.
    found = campaigns.sample_size(baseline_rate=0.5, lift=0.25, power=0.9)
    assert found == (77, 77)
    assert campaigns.sample_size(baseline_rate=0.75, lift=-0.25, power=0.9) == found


def test_the_depth_of_a_mailing_is_berry_and_linoffs() -> None:
    # Data Mining Techniques, 2nd ed., p. 103: 1,000,000 prospects, 1 % respond, 44 net for each,
    # 1 for each other piece; the best 30 % have twice the average, the best 10 % three times.
    # Here one hundredth of them: 44 net of the piece is 45 before it.
    parts = [(1000, 30), (2000, 30), (7000, 40)]
    mailed = pl.DataFrame(
        {
            "score": [3 - i for i, (n, _) in enumerate(parts) for _ in range(n)],
            "responded": [int(j < k) for n, k in parts for j in range(n)],
        }
    )
    table = campaigns.response_table(
        mailed,
        outcome="responded",
        score="score",
        groups=10,
        profit_per_response=45,
        contact_cost=1,
    )
    profit = dict(zip(table["depth"].round(1), table["cumulative_profit"], strict=True))
    assert profit[0.1] == pytest.approx(350)
    assert profit[0.3] == pytest.approx(-300)
    assert table.filter("best_depth")["depth"].to_list() == [0.1]


# Twin


def test_profit_and_cost_follow_from_the_amounts() -> None:
    rng = np.random.default_rng(2)
    treated, amount = rng.integers(0, 2, 500), rng.gamma(1, 5, 500)
    outcomes = pl.DataFrame({"treated": treated, "did": (amount > 4).astype(int), "money": amount})
    found = campaigns.result(
        outcomes,
        treated="treated",
        outcome="did",
        amount="money",
        margin=0.3,
        contact_cost=0.1,
        interval="normal",
        before=["money"],
    ).row(0, named=True)
    mine, others = amount[treated == 1], amount[treated == 0]
    lift = mine.mean() - others.mean()
    error = np.sqrt(mine.var(ddof=1) / len(mine) + others.var(ddof=1) / len(others))
    assert found["amount_lift"] == pytest.approx(lift)
    assert found["amount_upper"] == pytest.approx(lift + 1.959963984540054 * error)
    assert found["profit"] == pytest.approx(0.3 * lift * len(mine) - 0.1 * len(mine))
    assert found["breakeven_cost"] == pytest.approx(0.3 * lift)
    p, q = (mine > 4).mean(), (others > 4).mean()
    half = 1.959963984540054 * np.sqrt(
        p * (1 - p) / (len(mine) - 1) + q * (1 - q) / (len(others) - 1)
    )
    assert found["lower"] == pytest.approx(p - q - half)
    pooled = np.sqrt((mine.var(ddof=1) + others.var(ddof=1)) / 2)
    assert found["imbalance"] == pytest.approx(lift / pooled)
    assert found["imbalance_in"] == "money"


def test_a_rule_is_judged_where_chance_agreed_with_it() -> None:
    rng = np.random.default_rng(4)
    n = 4_000
    young, treated = rng.random(n) < 0.5, rng.random(n) < 0.3
    y = np.where(young & treated, 1.0, 0.0) * (rng.random(n) < 0.4)
    experiment = pl.DataFrame({"w": treated, "y": y, "young": young, "old": ~young})
    found = campaigns.compare_policies(
        experiment, treated="w", outcome="y", policies=["young", "old"], value=10, contact_cost=1
    )
    by = {row["policy"]: row for row in found.rows(named=True)}
    share = treated.mean()
    each = 10 * y * treated / share * young + 10 * y * ~treated / (1 - share) * ~young - young
    assert by["young"]["profit"] == pytest.approx(each.mean())
    assert by["young"]["upper"] - by["young"]["profit"] == pytest.approx(
        1.959963984540054 * each.std(ddof=1) / np.sqrt(n)
    )
    assert found["policy"][0] == "young"
    assert by["young"]["over_everybody_lower"] > 0
    assert by["old"]["over_nobody_upper"] < 0
    assert by["nobody"]["profit"] == pytest.approx(0)


# Properties


def test_a_control_group_is_drawn_alike_in_each_group() -> None:
    customers = pl.DataFrame({"customer_id": range(1000), "region": [i % 7 for i in range(1000)]})
    drawn = campaigns.split(customers, share=0.1, within=["region"])
    control = drawn.filter(~pl.col("treated")).group_by("region").len()
    assert control["len"].to_list() == [14] * 7
    again = campaigns.split(customers.reverse(), share=0.1, within=["region"])
    assert again.sort("customer_id").equals(drawn)
    other = campaigns.split(customers, share=0.1, within=["region"], seed=1)
    assert not other.equals(drawn)
    assert campaigns.split(customers, share=0.25)["treated"].sum() == 750


def test_nobody_is_lost_when_outcomes_are_recorded() -> None:
    treated = pl.DataFrame({"customer_id": ["ann", "ben", "cid"], "treated": [True, True, False]})
    outcomes = pl.DataFrame(
        {"customer_id": ["cid", "ann"], "outcome": [True, False], "reason": ["price", None]}
    )
    found = campaigns.record(treated, outcomes=outcomes)
    assert found["outcome"].to_list() == [0, 0, 1]
    assert found["reason"].to_list() == [None, None, "price"]


def test_each_segment_and_treatment_has_its_row() -> None:
    experiment = pl.DataFrame(
        {
            "mail": ["men", "women", "none"] * 40,
            "shop": ["web"] * 60 + ["phone"] * 60,
            "visit": [1, 0, 0] * 40,
        }
    )
    found = campaigns.result(experiment, treated="mail", outcome="visit", control="none", by="shop")
    assert found["shop"].to_list() == ["all", "all", "phone", "phone", "web", "web"]
    assert found["treatment"].to_list() == ["men", "women"] * 3
    assert found["n_treated"].sum() == 2 * 80


def test_equal_scores_share_a_cut() -> None:
    mailed = pl.DataFrame({"score": [1.0] * 4, "did": [1, 0, 0, 0]})
    table = campaigns.response_table(
        mailed, outcome="did", score="score", groups=2, profit_per_response=1
    )
    assert table["responses"].to_list() == [0.5, 0.5]


# Refusals


@pytest.mark.parametrize(
    ("table", "changes", "words"),
    [
        (counts((1, 2), (0, 0)), {}, "has no customers without treatment (its values: 1)"),
        (counts((0, 0), (1, 2)), {}, "nobody was treated"),
        (
            counts((1, 2), (1, 2)),
            {"control": "none"},
            "`treated` is never 'none' (its values: 0, 1)",
        ),
    ],
)
def test_without_a_control_group_there_is_no_result(
    table: pl.DataFrame, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        campaigns.result(table, treated="treated", outcome="did", **changes)
    assert words in str(caught.value)


def test_all_treated_in_one_segment_is_refused() -> None:
    table = counts((1, 4), (1, 4)).with_columns(
        where=pl.Series(["a", "a", "a", "b", "a", "a", "a", "a"])
    )
    with pytest.raises(InvalidRowsError, match="no control group in 1 of 2 values of `where`"):
        campaigns.result(table, treated="treated", outcome="did", by="where")


def test_an_outcome_that_is_money_is_refused() -> None:
    table = counts((1, 2), (1, 2)).with_columns(did=pl.Series([3, 0, 1, 0]))
    with pytest.raises(InvalidRowsError, match="`did` is not 0 or 1 everywhere"):
        campaigns.result(table, treated="treated", outcome="did")


def test_outcomes_of_strangers_are_refused() -> None:
    treated = pl.DataFrame({"customer_id": ["ann"], "treated": [True]})
    outcomes = pl.DataFrame({"customer_id": ["zoe"], "outcome": [1]})
    with pytest.raises(InvalidRowsError, match="not in `treated` \\(customer_id 'zoe'\\)"):
        campaigns.record(treated, outcomes=outcomes)

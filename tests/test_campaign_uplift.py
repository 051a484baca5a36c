"""Uplift: rankings judged by effects that no model made, and models judged on others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from crmkit import campaigns
from crmkit._campaigns.uplift import curves
from crmkit.errors import FitError, InvalidArgumentError, MissingColumnsError


def people(n: int = 3000, *, effect: float = 0.4, seed: int = 1) -> pl.DataFrame:
    """Make an experiment in which only the young are changed by the contact."""
    rng = np.random.default_rng(seed)
    age, treated = rng.integers(18, 80, n), rng.random(n) < 0.5
    region = np.where(rng.random(n) < 0.5, "north", "south")
    bought = rng.random(n) < 0.2 + effect * (treated & (age < 40))
    return pl.DataFrame(
        {
            "customer_id": range(n),
            "age": age,
            "region": region,
            "treated": treated,
            "bought": bought,
        }
    )


def fitted(table: Any = None, **changes: Any) -> campaigns.UpliftModel:
    usual: dict[str, Any] = {"treated": "treated", "outcome": "bought"}
    usual |= {"features": ["age", "region"]}
    return campaigns.fit_uplift(people() if table is None else table, **usual | changes)


@pytest.fixture(scope="module")
def model() -> campaigns.UpliftModel:
    return fitted()


# Published


def test_effects_by_propensity_are_those_of_maq() -> None:
    # grf-labs/maq, docstring of get_ipw_scores: seed 42, two offers against control.
    np.random.seed(42)  # noqa: NPY002 - the published numbers are those of this generator
    arm = np.random.choice([0, 1, 2], 2000)  # noqa: NPY002
    outcome = 42 * (arm == 1) - 42 * (arm == 2) + np.random.rand(2000)  # noqa: NPY002
    found = curves.ipw_effects(outcome, arm, np.full(3, 1 / 3)).mean(axis=0)
    assert found == pytest.approx([41.51013928, -41.09905001], abs=1e-8)
    chance = np.array([0.2, 0.2, 0.6])
    arm = np.random.choice([0, 1, 2], 2000, p=chance)  # noqa: NPY002
    outcome = 42 * (arm == 1) - 42 * (arm == 2) + np.random.rand(2000)  # noqa: NPY002
    found = curves.ipw_effects(outcome, arm, chance).mean(axis=0)
    assert found == pytest.approx([43.06614088, -41.60718507], abs=1e-8)


def test_autoc_and_qini_are_those_of_their_definition() -> None:
    # Yadlowsky et al. (2025): effects 4, 3, 2, 1 in a perfect ranking, by hand.
    effect = np.array([4.0, 3.0, 2.0, 1.0])
    assert curves.curve(effect, effect).toc.tolist() == [1.5, 1, 0.5, 0]
    assert curves.rank(effect, effect) == pytest.approx((0.75, 0.3125))
    assert curves.rank(effect, np.ones(4)) == pytest.approx((0, 0))


# Properties


def test_the_young_are_found(model: campaigns.UpliftModel) -> None:
    new = people(500, seed=9)
    scored = campaigns.score_uplift(new, model=model)
    by_age = scored.group_by(pl.col("age") < 40).agg(pl.col("uplift").mean()).sort("age")
    old, young = map(float, by_age["uplift"].to_list())
    assert young == pytest.approx(0.4, abs=0.08)
    assert old == pytest.approx(0.0, abs=0.08)
    apart = (scored["p_with"] - scored["p_without"] - scored["uplift"]).to_numpy()
    assert np.abs(apart).max() < 1e-12
    assert scored["p_with"].is_between(0, 1).all()
    assert model.verdict.startswith("Ranking by uplift is worth it")


def test_where_all_are_changed_alike_nobody_is_told_to_choose() -> None:
    table = people().with_columns(age=pl.Series(np.random.default_rng(5).integers(18, 80, 3000)))
    assert "not shown to beat" in fitted(table).verdict


def test_a_score_that_was_made_of_the_truth_is_above_chance(model: campaigns.UpliftModel) -> None:
    scored = campaigns.score_uplift(people(4000, seed=7), model=model)
    table = campaigns.uplift_curve(scored, treated="treated", outcome="bought", score="uplift")
    assert (table["gain"] > table["by_chance"])[:-1].sum() >= 17
    assert table["gain"].to_list()[-1] == pytest.approx(table["by_chance"].to_list()[-1])
    assert table["autoc"][0] > 0.05
    reverse = scored.with_columns(uplift=-pl.col("uplift"))
    worse = campaigns.uplift_curve(reverse, treated="treated", outcome="bought", score="uplift")
    assert worse["autoc"][0] < 0


def test_an_unseen_category_and_a_null_are_scored(model: campaigns.UpliftModel) -> None:
    new = pd.DataFrame({"customer_id": [1, 2], "age": [30.0, np.nan], "region": ["west", None]})
    scored = campaigns.score_uplift(new, model=model)
    assert scored["uplift"].notna().all()


def test_the_same_seed_gives_the_same_model(model: campaigns.UpliftModel) -> None:
    again = fitted()
    new = people(50, seed=3)
    pd.testing.assert_series_equal(
        campaigns.score_uplift(new, model=again)["uplift"].to_pandas(),
        campaigns.score_uplift(new, model=model)["uplift"].to_pandas(),
    )
    assert again.verdict == model.verdict


# Refusals


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"features": ["age", "bought"]}, InvalidArgumentError, "which is what is to be learned"),
        ({"features": []}, InvalidArgumentError, "`features` is empty"),
        ({"features": ["shoe"]}, MissingColumnsError, "no column `shoe`"),
        ({"table": people(150)}, FitError, "at least 100 are needed"),
        ({"table": people().with_columns(bought=pl.lit(1))}, FitError, "the same outcome"),
    ],
)
def test_what_cannot_be_learned_is_said(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        fitted(**changes)
    assert words in str(caught.value)


def test_a_feature_of_another_type_is_refused(model: campaigns.UpliftModel) -> None:
    new = people(10).with_columns(age=pl.col("age").cast(pl.String))
    with pytest.raises(InvalidArgumentError, match="`age` "):
        campaigns.score_uplift(new, model=model)
    with pytest.raises(MissingColumnsError, match="no column `region`"):
        campaigns.score_uplift(people(10).drop("region"), model=model)

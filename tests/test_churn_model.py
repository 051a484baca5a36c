"""Churn models: judged on later dates, kept as plain numbers, scored alike on every engine."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from crmkit import churn
from crmkit._churn.model import forest, linear, panel, split
from crmkit._door.feature_matrix import Feature, Features
from crmkit.errors import (
    FitError,
    InvalidArgumentError,
    InvalidRowsError,
    MissingColumnsError,
)
from tests.conftest import rows
from tests.engines import ENGINES, marks_of

DATES = ("2024-01-31", "2024-04-30", "2024-07-31")


def simulated(n: int = 500, *, seed: int = 1) -> pl.DataFrame:
    """Make a panel of three dates: silence and the branch matter, the shoe size does not."""
    rng = np.random.default_rng(seed)
    m = n * len(DATES)
    silence = rng.exponential(60, m).round()
    branch = rng.choice(["north", "south", "east"], m)
    odds = (silence - 60) / 40 + np.where(branch == "north", 1.0, 0.0)
    size = np.where(rng.random(m) < 0.2, np.nan, rng.integers(36, 46, m))
    return pl.DataFrame(
        {
            "customer_id": np.tile([f"c{i}" for i in range(n)], len(DATES)),
            "date": np.repeat(DATES, n),
            "days_since_last": silence,
            "branch": branch,
            "shoe_size": size,
            "has_app": rng.random(m) < 0.5,
            "churned": rng.random(m) < 1 / (1 + np.exp(-odds)),
        }
    ).with_columns(pl.col("date").str.to_date(), pl.col("shoe_size").fill_nan(None))


def last(table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(pl.col("date") == pl.col("date").max())


@cache
def model() -> churn.ChurnModel:
    return churn.fit(simulated(), horizon_days=90)


# Published


def test_trees_are_those_of_scikit_learn_to_the_last_digit() -> None:
    # scikit-learn itself: HistGradientBoostingClassifier.decision_function.
    rng = np.random.default_rng(0)
    matrix = np.column_stack(
        [rng.normal(size=2000), rng.integers(0, 40, 2000), rng.normal(size=2000)]
    )
    matrix[::7, 1] = matrix[::5, 0] = np.nan
    churned = rng.random(2000) < 1 / (1 + np.exp(-np.nan_to_num(matrix[:, 0] + matrix[:, 1] % 3)))
    fitted = HistGradientBoostingClassifier(
        categorical_features=[False, True, False], max_iter=40, random_state=0
    ).fit(matrix, churned)
    copied = forest.of_scikit_learn(fitted, [0, 50, 0])
    assert copied is not None
    new = rng.normal(size=(3000, 3))
    new[:, 1] = rng.integers(0, 50, 3000)  # ten of them unseen
    new[::3, 0] = new[::4, 1] = np.nan
    assert copied.log_odds(new) == pytest.approx(fitted.decision_function(new), abs=1e-12)


def test_logistic_regression_is_that_of_scikit_learn_and_its_parts_are_exact() -> None:
    data = panel.read(simulated())
    found = linear.fit(data.matrix, data.churned, data.features)
    design = linear.design(data.matrix, found.terms)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(design, data.churned)
    assert found.log_odds(data.matrix) == pytest.approx(fitted.decision_function(design), abs=1e-9)
    added, base = found.contributions(data.matrix)
    assert added.sum(axis=1) + base == pytest.approx(found.log_odds(data.matrix), abs=1e-9)


def test_candidates_are_judged_as_scikit_learn_does() -> None:
    # By hand: train on dates known by then, score the last date.
    table = simulated()
    found = churn.fit(table, horizon_days=90, calibrate=False)
    row = next(each for each in found.candidates if each["candidate"] == "recency alone")
    data = panel.read(table)
    parts = split.split(data, horizon_days=90.0)
    at = [data.features.names.index("days_since_last")]
    alone = linear.fit(data.matrix[parts.train], data.churned[parts.train], data.features, only=at)
    p = 1 / (1 + np.exp(-alone.log_odds(data.matrix[parts.held_out])))
    truth = data.churned[parts.held_out]
    assert row["log_loss"] == pytest.approx(log_loss(truth, p), abs=1e-9)
    assert row["brier"] == pytest.approx(brier_score_loss(truth, p), abs=1e-9)
    assert row["auc"] == pytest.approx(roc_auc_score(truth, p), abs=1e-9)


# Properties


def test_what_is_used_is_the_best_of_the_candidates() -> None:
    rows = model().candidates
    assert {row["candidate"] for row in rows} == {
        "boosted trees",
        "logistic regression",
        "recency alone",
        "stack",
    }
    assert [row["is_used"] for row in rows] == [True, False, False, False]
    assert rows[0]["candidate"] == model().used
    assert [row["log_loss"] for row in rows] == sorted(row["log_loss"] for row in rows)
    assert all(row["behind"] >= 0 for row in rows)


def test_a_probability_of_a_purchase_model_is_a_candidate_and_is_used_where_it_is_right() -> None:
    rng = np.random.default_rng(3)
    p = rng.beta(2, 2, 3000)
    table = pl.DataFrame(
        {
            "customer_id": range(3000),
            "days_since_last": rng.integers(0, 90, 3000),
            "p_silent": p,
            "churned": rng.random(3000) < p,
        }
    )
    found = churn.fit(table)
    assert "p_silent" in {row["candidate"] for row in found.candidates}
    truth = next(row for row in found.candidates if row["candidate"] == "p_silent")
    assert found.candidates[0]["log_loss"] <= truth["log_loss"]
    assert found.candidates[0]["log_loss"] > truth["log_loss"] - 0.01
    stated = churn.score(table, model=found)["p_churn"].to_numpy()
    assert np.abs(stated - p).mean() < 0.05


def test_the_label_is_a_sentence() -> None:
    assert model().label == (
        "no purchase in the 90 days after each of 3 dates, 2024-01-31 to 2024-07-31"
    )
    one = churn.fit(last(simulated()), horizon_days=90)
    assert one.label == "no purchase in the 90 days after 2024-07-31"
    undated = churn.fit(last(simulated()).drop("date"), label="contract cancelled")
    assert undated.label == "contract cancelled"


def test_dates_whose_outcome_was_not_known_are_not_trained_on() -> None:
    data = panel.read(simulated())
    parts = split.split(data, horizon_days=120.0)
    assert data.day is not None
    trained = {str(each) for each in np.unique(data.day[parts.train]).astype("datetime64[D]")}
    assert trained == {"2024-01-31"}  # 30 April and 120 days is after 31 July
    assert parts.held_out_dates == ("2024-07-31",)
    assert parts.notes == ()


def test_windows_that_overlap_are_said() -> None:
    found = churn.fit(simulated(), horizon_days=365)
    assert found.notes == (
        (
            "No earlier date lies 365 days before 2024-07-31: outcome windows of training and "
            "validation overlap, so figures are flattering."
        ),
    )


def test_without_later_dates_customers_are_held_out_and_it_is_said() -> None:
    found = churn.fit(last(simulated()))
    assert found.held_out_dates == ()
    assert found.notes == (
        (
            "There is only one date, so the model is judged on a fifth of the customers, drawn by "
            "a hash, and not on later ones."
        ),
    )


def test_constant_columns_and_dates_are_left_out_and_it_is_said() -> None:
    table = simulated().with_columns(first_date=pl.col("date"), country=pl.lit("AT"))
    found = churn.fit(table, horizon_days=90)
    assert found.features == model().features
    assert "Dates, so left out: `first_date`." in found.notes
    assert "Constant, so left out: `country`." in found.notes


def test_the_order_of_rows_changes_nothing() -> None:
    again = churn.fit(simulated().sample(fraction=1.0, shuffle=True, seed=3), horizon_days=90)
    assert again == model()


def test_customers_who_are_more_likely_to_leave_rank_first() -> None:
    scored = churn.score(last(simulated()), model=model())
    assert scored["p_churn"].is_between(0, 1).all()
    by_rank = scored.sort("churn_rank")["p_churn"].to_list()
    assert by_rank == sorted(by_rank, reverse=True)
    assert scored["churn_rank"].min() == 1
    assert roc_auc_score(scored["churned"], scored["p_churn"]) > 0.7


def test_customers_of_equal_probability_share_a_rank() -> None:
    same = last(simulated()).head(1)
    two = pl.concat([same, same.with_columns(customer_id=pl.lit("twin"))])
    assert churn.score(two, model=model())["churn_rank"].to_list() == [1, 1]


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=5),
        LogisticRegression(max_iter=500),
        RandomForestClassifier(n_estimators=20, min_samples_leaf=20),
    ],
)
def test_any_classifier_of_scikit_learn_will_do(estimator: Any) -> None:
    found = churn.fit(simulated(200), estimator=estimator, horizon_days=90)
    assert type(estimator).__name__ in {row["candidate"] for row in found.candidates}
    again = churn.fit(simulated(200), estimator=estimator, horizon_days=90)
    new = last(simulated(200))
    assert churn.score(new, model=found).equals(churn.score(new, model=again))


# Kept


def test_a_model_is_the_same_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    model().save(path)
    again = churn.load_model(path)
    assert again == model()
    assert hash(again) == hash(model())
    new = last(simulated())
    assert churn.score(new, model=again).equals(churn.score(new, model=model()))
    assert json.loads(path.read_text())["label"] == model().label


def test_what_cannot_be_kept_without_its_code_is_not_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.choice([-1.0, 1.0], (2, 2000))
    odd = pl.DataFrame(
        {
            "customer_id": range(2000),
            "a": a,
            "b": b,
            "churned": rng.random(2000) < 0.5 + 0.4 * a * b,
        }
    )
    found = churn.fit(odd, estimator=RandomForestClassifier(20, min_samples_leaf=20))
    assert found.used in {"RandomForestClassifier", "stack"}
    with pytest.raises(InvalidArgumentError, match="cannot be kept without running its code"):
        found.save(tmp_path / "model.json")


def _changed(value: Any, rng: random.Random) -> Any:
    """Change one place of a JSON value at random."""
    if isinstance(value, dict) and value:
        name = rng.choice(sorted(value))
        if rng.random() < 0.05:
            return {k: v for k, v in value.items() if k != name}
        return value | {name: _changed(value[name], rng)}
    if isinstance(value, list) and value:
        i = rng.randrange(len(value))
        if rng.random() < 0.05:
            return value[:i] + value[i + 1 :]
        return [*value[:i], _changed(value[i], rng), *value[i + 1 :]]
    return rng.choice([None, -1, 0, 3, 10**9, 2**70, 1.5, -1e308, True, "x", [], {}, [[[]]]])


def test_a_tampered_file_is_an_error_and_never_a_crash() -> None:
    small = churn.fit(
        simulated(150),
        estimator=HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=4),
        horizon_days=90,
    )
    whole = json.loads(small.to_json())
    new = last(simulated(40))
    rng = random.Random(5)
    n_refused = 0
    for _ in range(600):
        changed = whole
        for _ in range(rng.choice([1, 1, 3])):
            # Half of the changes hit the trees.
            if rng.random() < 0.5 and isinstance(changed.get("blend"), dict):
                changed = changed | {"blend": _changed(changed["blend"], rng)}
            else:
                changed = _changed(changed, rng)
        try:
            loaded = churn.ChurnModel.from_json(json.dumps(changed))
        except InvalidArgumentError:
            n_refused += 1
            continue
        try:
            scored = churn.score(new, model=loaded)
        except (InvalidArgumentError, MissingColumnsError):
            continue  # other features
        assert scored["p_churn"].is_between(0, 1).all()
    assert n_refused > 200


def test_broken_text_is_an_error() -> None:
    text = model().to_json()
    rng = random.Random(7)
    for _ in range(50):
        at = rng.randrange(len(text))
        with pytest.raises(InvalidArgumentError, match=r"^ChurnModel: "):
            churn.ChurnModel.from_json(text[:at])
    with pytest.raises(InvalidArgumentError, match=r"nested|not JSON"):
        churn.ChurnModel.from_json("[" * 100_000)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("left", [0, 0, 0], "leads to node 0"),
        ("right", [1, 0, 0], "a node is the child of two others, or of none"),
        ("feature", [9, 0, 0], "asks for feature 9 of 2"),
        ("categories_left", [[7], [], []], "beyond the 3"),
        ("is_leaf", [False, True], "differ in length"),
    ],
)
def test_a_tree_that_cannot_be_walked_through_is_refused(field: str, value: Any, why: str) -> None:
    tree: dict[str, Any] = {
        "feature": [1, 0, 0],
        "threshold": [0.0, 0.0, 0.0],
        "missing_go_left": [True, False, False],
        "left": [1, 0, 0],
        "right": [2, 0, 0],
        "is_leaf": [False, True, True],
        "value": [0.0, -1.0, 1.0],
        "is_category": [True, False, False],
        "categories_left": [[0, 2], [], []],
    }
    right = forest.Forest.of_fields({"start": 0.0, "trees": [_as_tuples(tree)]})
    assert right.complaint(2, [0, 3]) is None
    wrong = forest.Forest.of_fields({"start": 0.0, "trees": [_as_tuples(tree | {field: value})]})
    assert why in str(wrong.complaint(2, [0, 3]))


def _as_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(values) for name, values in fields.items()}


def test_categories_go_left_or_right_and_unknown_ones_where_they_are_sent() -> None:
    tree = forest.CategoryTree(
        feature=(0, 0, 0),
        threshold=(0.0, 0.0, 0.0),
        missing_go_left=(True, False, False),
        left=(1, 0, 0),
        right=(2, 0, 0),
        is_leaf=(False, True, True),
        value=(0.25, -1.0, 1.0),
        is_category=(True, False, False),
        categories_left=((0, 2), (), ()),
    )
    rows = np.array([[0.0], [1.0], [2.0], [np.nan]])
    grown = forest.Forest(0.5, (tree,))
    assert grown.log_odds(rows).tolist() == [-0.5, 1.5, -0.5, -0.5]
    added, base = grown.contributions(rows)
    assert base == 0.75
    assert added[:, 0].tolist() == [-1.25, 0.75, -1.25, -1.25]


# Shape


@pytest.mark.parametrize("engine", [pytest.param(e, marks=marks_of(e)) for e in ENGINES])
def test_scores_are_the_same_on_every_engine(engine: str) -> None:
    new = last(simulated(60)).with_columns(customer_id=pl.int_range(60))
    expected = churn.score(new, model=model()).sort("customer_id")
    scored = rows(churn.score(ENGINES[engine].make(new.to_arrow()), model=model()))
    found = sorted(scored, key=lambda row: row["customer_id"])
    assert [row["customer_id"] for row in found] == expected["customer_id"].to_list()
    assert [row["p_churn"] for row in found] == pytest.approx(expected["p_churn"].to_list())
    assert [row["churn_rank"] for row in found] == expected["churn_rank"].to_list()


def test_an_unseen_category_and_unknown_values_are_scored() -> None:
    new = last(simulated()).head(3).with_columns(branch=pl.lit("moon"))
    unknown = new.with_columns(branch=pl.lit(None, pl.String), shoe_size=pl.lit(None, pl.Float64))
    for table in (new, unknown):
        assert churn.score(table, model=model())["p_churn"].is_finite().all()
    same = new.with_columns(branch=pl.lit(None, pl.String))
    scored = churn.score(new, model=model())["p_churn"]
    assert scored.equals(churn.score(same, model=model())["p_churn"])


def test_an_empty_table_stays_empty() -> None:
    scored = churn.score(simulated().head(0), model=model())
    assert scored.columns[-2:] == ["p_churn", "churn_rank"]
    assert len(scored) == 0


def test_a_model_shows_what_it_says() -> None:
    assert repr(model()).startswith(f"ChurnModel({model().label}; 1,500 rows; {model().used} is")


# Refusals


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            pl.lit(value=True).alias("churned"),
            FitError,
            (
                "panel: all 1,500 rows left, so nothing can be learned.\n"
                "Choose a horizon in which some leave and some stay."
            ),
        ),
        (
            pl.lit(2).alias("churned"),
            InvalidRowsError,
            (
                "panel: `churned` is not 0 or 1 in 1,500 of 1,500 rows "
                "(customer_id 'c0', 'c1', 'c2').\n"
                "Leave out customers whose outcome is not known yet."
            ),
        ),
        (
            pl.lit("yes").alias("churned"),
            InvalidArgumentError,
            (
                "panel: `churned` has type String; expected true and false, or 1 and 0.\n"
                "Write 1 for those who left."
            ),
        ),
        (
            (pl.col("churned").cast(pl.Int64) * 3).alias("gone_days"),
            InvalidArgumentError,
            (
                "panel: `gone_days` alone says exactly who left, as only the outcome itself can.\n"
                "Leave it out of the features."
            ),
        ),
        (
            pl.lit("c0").alias("customer_id"),
            InvalidRowsError,
            (
                "panel: `customer_id` is repeated on one `date` in 1,497 of 1,500 rows "
                "(customer_id 'c0').\nOne row is one customer on one date: drop the others."
            ),
        ),
    ],
)
def test_a_panel_that_cannot_be_learned_from_is_refused(
    change: pl.Expr, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        churn.fit(simulated().with_columns(change))
    assert str(caught.value) == message


def test_a_feature_that_is_missing_or_of_another_type_is_named() -> None:
    new = last(simulated())
    with pytest.raises(MissingColumnsError, match="no column `branch`"):
        churn.score(new.drop("branch"), model=model())
    with pytest.raises(InvalidArgumentError) as caught:
        churn.score(new.with_columns(pl.col("days_since_last").cast(pl.String)), model=model())
    assert str(caught.value) == (
        "features: `days_since_last` has type String; expected a number.\n"
        "Add `days_since_last` to the table, or name another column."
    )


def test_a_customer_twice_is_refused() -> None:
    with pytest.raises(InvalidRowsError, match="`customer_id` is repeated"):
        churn.score(simulated(), model=model())
    with pytest.raises(InvalidRowsError, match="`customer_id` is repeated"):
        churn.score(simulated().lazy(), model=model())


def test_what_is_no_classifier_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="`estimator` must be a classifier"):
        churn.fit(simulated(), estimator="trees")
    with pytest.raises(InvalidArgumentError, match="got a class"):
        churn.fit(simulated(), estimator=LogisticRegression)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be read"):
        churn.load_model(tmp_path / "none.json")
    (tmp_path / "odd").write_bytes(b"\x80\x04\x95")
    with pytest.raises(InvalidArgumentError, match="is not text"):
        churn.load_model(tmp_path / "odd")
    with pytest.raises(InvalidArgumentError, match="cannot be written"):
        model().save(tmp_path / "no folder" / "model.json")


def test_features_that_are_all_constant_are_refused() -> None:
    table = pd.DataFrame({"customer_id": range(50), "a": 1.0, "churned": [0, 1] * 25})
    with pytest.raises(FitError, match="all features are constant"):
        churn.fit(table)


def test_a_regression_without_terms_states_the_churn_rate() -> None:
    features = Features((Feature("a", "number"),))
    found = linear.fit(np.ones((4, 1)), np.array([1.0, 0, 0, 0]), features)
    assert 1 / (1 + np.exp(-found.log_odds(np.ones((1, 1))))) == pytest.approx([0.25])

"""Fits and patterns as JSON: what was kept is read again, and damage is refused in one sentence."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest

from crmkit import clv, rfm
from crmkit.datasets import load_cdnow
from crmkit.errors import InvalidArgumentError
from crmkit.models import PURCHASE_MODELS, SPEND_MODELS

ADVICE = "\nGive the text that to_json() wrote."
SURVIVORS = pd.DataFrame({"period": range(5), "survivors": [1000, 869, 743, 653, 593]})

# Written by crmkit at commit 622aeed, before texts had a kind and a format.
OLD_FIT = (
    '{"name": "bg_nbd", "n_left_out": 0, "covariates": [], "penalty": 0.0, "prior": {}, '
    '"likelihood": {"model": {"r": 0.25, "alpha": 30.5, "a": 0.75, "b": 2.5}, '
    '"log_likelihood": -14363.5, "n_customers": 2357, "names": ["r", "alpha", "a", "b"], '
    '"covariance_log": [[0.5, 0.0, 0.0, null], [0.0, 0.5, 0.0, null], [0.0, 0.0, 0.5, null], '
    '[null, null, null, null]], "gradient_norm": 1e-12, "eigenvalues": [0.01, 2.0, 2.0, 2.0], '
    '"converged": true, "diagnostics": ["The data leave b open."], "coefficients": []}}'
)
OLD_COVARIATES = (
    '{"name": "gamma_gamma", "n_left_out": 12, "covariates": [{"process": "spend", '
    '"column": "channel", "levels": ["shop", "web"]}], "penalty": 1.5, '
    '"prior": {"q": {"median": 4.0, "log_deviation": 1.0}}, '
    '"likelihood": {"model": {"p": 6.25, "q": 3.75, "v": 15.5}, "log_likelihood": -4055.5, '
    '"n_customers": 946, "names": ["p", "q", "v", "spend: channel=web"], "covariance_log": '
    "[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "
    '"gradient_norm": NaN, "eigenvalues": [1.0, 1.0, 1.0, 1.0], "converged": true, '
    '"diagnostics": [], "coefficients": [-0.25]}}'
)
OLD_CONTRACTS = (
    '{"name": "sbg", "n_left_out": 3, "covariates": [], "penalty": 0.0, "prior": {}, '
    '"likelihood": {"model": {"alpha": 0.75, "beta": 1.25}, "log_likelihood": -1680.5, '
    '"n_customers": 1000, "names": ["alpha", "beta"], "covariance_log": [[0.5, 0.25], '
    '[0.25, 0.5]], "gradient_norm": 0.0, "eigenvalues": [1.0, 2.0], "converged": true, '
    '"diagnostics": []}, "every": "year"}'
)
OLD_OPPORTUNITIES = (
    '{"name": "bg_bb", "n_left_out": 0, "likelihood": {"model": {"alpha": 0.5, "beta": 3.5, '
    '"gamma": 0.5, "delta": 5.5}, "log_likelihood": -7130.5, "n_customers": 2357, '
    '"names": ["alpha", "beta", "gamma", "delta"], "covariance_log": [[1, 0, 0, 0], [0, 1, 0, 0], '
    '[0, 0, 1, 0], [0, 0, 0, 1]], "gradient_norm": 0.0, "eigenvalues": [1.0, 1.0, 1.0, 1.0], '
    '"converged": true, "diagnostics": []}, "every": "month"}'
)


class Kept:
    """Values of each kind that is kept."""

    def __init__(self) -> None:
        orders = load_cdnow(sample=True, backend="pandas")
        customers = rfm.summarize(orders, as_of=date(1997, 9, 30))
        number = customers["customer_id"].astype(int)
        customers["channel"] = (number % 2).map({0: "shop", 1: "web"})
        customers["first_amount"] = number % 7
        months = clv.opportunities(orders, as_of=date(1998, 6, 30))
        self.fit = clv.fit(customers, model="bg_nbd")
        self.by_name: dict[str, Any] = {
            "fit": self.fit,
            "spend": clv.fit(customers, model="gamma_gamma"),
            "covariates": clv.fit(
                customers,
                model="pareto_nbd",
                covariates={"both": ["channel"], "purchases": ["first_amount"]},
                penalty=1.5,
                prior={"r": clv.LogNormal(median=1.0, log_deviation=0.5)},
            ),
            "a whole k": clv.fit(customers.head(500), model="mbg_cnbd_k"),
            "given": clv.Fit.of("bg_cnbd_k", r=0.2, alpha=30, a=0.8, b=2.4, k=2),
            "contracts": clv.fit_retention(SURVIVORS, every="year"),
            "opportunities": clv.fit_opportunities(months, every="month"),
            "pattern": clv.Pattern(1.25, "trend", 91.0, None, None, 1.5, 0.125),
        }


@pytest.fixture(scope="module")
def kept() -> Kept:
    """All of them, on the sample of the papers."""
    return Kept()


def damaged(text: str, change: Callable[[dict[str, Any]], Any]) -> str:
    """The text after a change of what it holds."""
    content = json.loads(text)
    change(content)
    return json.dumps(content)


def complaint(read: Callable[[str], Any], text: str) -> str:
    """The message of the error that reading gives."""
    with pytest.raises(InvalidArgumentError) as caught:
        read(text)
    return str(caught.value)


# What was kept is read


@pytest.mark.parametrize(
    "name",
    [
        "fit",
        "spend",
        "covariates",
        "a whole k",
        "given",
        "contracts",
        "opportunities",
        "pattern",
    ],
)
def test_a_kept_value_is_the_same_when_read(kept: Kept, name: str) -> None:
    value = kept.by_name[name]
    text = value.to_json()
    read = type(value).from_json(text)
    assert read == value
    assert repr(read) == repr(value)
    content = json.loads(text, parse_constant=pytest.fail)
    assert (content["kind"], content["format"]) == (type(value).__name__, 1)


def test_texts_of_the_first_version_are_read() -> None:
    fitted = clv.Fit.from_json(OLD_FIT)
    assert repr(fitted) == (
        "BGNBD(r=0.25, alpha=30.5, a=0.75, b=2.5; log-likelihood -14,363.5, 2,357 customers)"
    )
    assert fitted.standard_errors == {
        "r": pytest.approx(0.25 * math.sqrt(0.5)),
        "alpha": pytest.approx(30.5 * math.sqrt(0.5)),
        "a": pytest.approx(0.75 * math.sqrt(0.5)),
        "b": None,
    }
    assert fitted.diagnostics == ("The data leave b open.",)
    spend = clv.Fit.from_json(OLD_COVARIATES)
    assert spend.estimates["spend: channel=web"] == -0.25
    assert (spend.penalty, spend.n_left_out) == (1.5, 12)
    assert spend.prior == (("q", clv.LogNormal(median=4.0, log_deviation=1.0)),)
    assert math.isnan(spend.likelihood.gradient_norm)  # type: ignore[union-attr]
    contracts = clv.RetentionFit.from_json(OLD_CONTRACTS)
    assert (contracts.every, contracts.estimates) == ("year", {"alpha": 0.75, "beta": 1.25})
    months = clv.OpportunityFit.from_json(OLD_OPPORTUNITIES)
    assert (months.every, months.n_customers) == ("month", 2357)


def test_texts_before_penalties_and_priors_are_read() -> None:
    text = damaged(OLD_FIT, lambda old: [old.pop(name) for name in ("penalty", "prior")])
    assert clv.Fit.from_json(text) == clv.Fit.from_json(OLD_FIT)


def test_a_number_that_is_not_finite_is_null_and_comes_back_as_nan(kept: Kept) -> None:
    found: Any = kept.fit.likelihood
    odd = replace(
        kept.fit,
        likelihood=replace(
            found, gradient_norm=math.nan, eigenvalues=(math.inf, *found.eigenvalues[1:])
        ),
    )
    content = json.loads(odd.to_json(), parse_constant=pytest.fail)
    assert content["likelihood"]["gradient_norm"] is None
    read: Any = clv.Fit.from_json(odd.to_json()).likelihood
    assert math.isnan(read.gradient_norm)
    assert math.isnan(read.eigenvalues[0])
    assert read.eigenvalues[1:] == found.eigenvalues[1:]


# Damage is refused

MODELS = ", ".join(map(repr, [*PURCHASE_MODELS, *SPEND_MODELS]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Fit: this is not JSON text, got ''." + ADVICE),
        ("bg_nbd", "Fit: this is not JSON text, got 'bg_nbd'." + ADVICE),
        (None, "Fit: this is not JSON text, got None." + ADVICE),
        ("[]", "Fit: this text holds [], expected the fields of a Fit." + ADVICE),
        ("{}", "Fit: `name` is missing." + ADVICE),
        ('{"name": "bg_nbd"}', "Fit: `n_left_out` is missing." + ADVICE),
        (
            '{"kind": "TierRule", "format": 1, "by": "clv"}',
            "Fit: this text holds a TierRule.\nRead it with TierRule.from_json().",
        ),
        (
            '{"kind": "RetentionFit", "format": 1}',
            "Fit: this text holds a RetentionFit.\nRead it with RetentionFit.from_json().",
        ),
        (OLD_CONTRACTS, "Fit: `every` is unknown." + ADVICE),
        (
            '{"kind": "Fit", "format": 2}',
            (
                "Fit: this text has format 2, this crmkit reads up to 1.\n"
                "Update crmkit, or make the value anew with this version."
            ),
        ),
    ],
)
def test_a_text_without_a_fit_is_refused(text: Any, message: str) -> None:
    assert complaint(clv.Fit.from_json, text) == message


def test_each_kind_of_fit_is_read_by_its_own_class(kept: Kept) -> None:
    for name, other in (("fit", clv.RetentionFit), ("contracts", clv.OpportunityFit)):
        value = kept.by_name[name]
        kind = type(value).__name__
        assert complaint(other.from_json, value.to_json()) == (
            f"{other.__name__}: this text holds a {kind}.\nRead it with {kind}.from_json()."
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fit: fit.update(name="bg_nbt"), "`name` must be one of {models}, got 'bg_nbt'."),
        (lambda fit: fit.update(n_left_out=-1), "`n_left_out` must be a whole number of 0 or more"),
        (lambda fit: fit.update(penalty="1"), "`penalty` must be a finite number, got '1'."),
        (lambda fit: fit.update(prior={"r": {"median": 1}}), "`prior.r.log_deviation` is missing."),
        (
            lambda fit: fit.update(prior={"r": {"median": 0, "log_deviation": 1}}),
            "`prior.r.median` must be above 0, got 0.",
        ),
        (lambda fit: fit.update(more=1), "`more` is unknown."),
        (lambda fit: fit.update(likelihood=3), "`likelihood` must be an object, got 3."),
        (lambda fit: fit.update(likelihood=None), "it needs either `likelihood` or `given`."),
        (lambda fit: fit["likelihood"].update(more=1), "`likelihood.more` is unknown."),
        (
            lambda fit: fit["likelihood"].pop("covariance_log"),
            "`likelihood.covariance_log` is missing.",
        ),
        (
            lambda fit: fit["likelihood"].update(covariance_log=3),
            "`likelihood.covariance_log` must be a list, got 3.",
        ),
        (
            lambda fit: fit["likelihood"]["covariance_log"].pop(),
            "`likelihood.covariance_log` must have 4 rows of 4 numbers.",
        ),
        (
            lambda fit: fit["likelihood"]["covariance_log"][2].pop(),
            "`likelihood.covariance_log` must have 4 rows of 4 numbers.",
        ),
        (
            lambda fit: fit["likelihood"]["covariance_log"][1].__setitem__(0, "x"),
            "`likelihood.covariance_log[1][0]` must be a finite number, got 'x'.",
        ),
        (
            lambda fit: fit["likelihood"]["eigenvalues"].pop(),
            "`likelihood.eigenvalues` must have 4 numbers.",
        ),
        (
            lambda fit: fit["likelihood"]["coefficients"].append(1),
            "`likelihood.coefficients` must have 0 numbers.",
        ),
        (
            lambda fit: fit["likelihood"]["names"].reverse(),
            "`likelihood.names` must be r, alpha, a, b.",
        ),
        (
            lambda fit: fit["likelihood"].update(converged=1),
            "`likelihood.converged` must be true or false, got 1.",
        ),
        (
            lambda fit: fit["likelihood"]["model"].pop("alpha"),
            "`bg_nbd` needs `alpha`; its parameters are r, alpha, a, b.",
        ),
        (
            lambda fit: fit["likelihood"]["model"].update(k=2),
            "`bg_nbd` has no parameter `k`; its parameters are r, alpha, a, b.",
        ),
        (
            lambda fit: fit["likelihood"]["model"].update(alpha="text"),
            "`likelihood.model.alpha` must be a finite number, got 'text'.",
        ),
        (
            lambda fit: fit["likelihood"]["model"].update(alpha=math.nan),
            "`likelihood.model.alpha` must be a finite number, got nan.",
        ),
        (
            lambda fit: fit["likelihood"]["model"].update(alpha=None),
            "`likelihood.model.alpha` must be a finite number, got None.",
        ),
        (
            lambda fit: fit["likelihood"]["model"].update(alpha=-1),
            "BG/NBD parameters must be positive and finite, got BGNBD(",
        ),
        (
            lambda fit: fit.update(covariates=[{"process": "dropout", "column": "age"}]),
            "`covariates[0].levels` is missing.",
        ),
    ],
)
def test_a_damaged_fit_is_refused_by_its_field(
    kept: Kept, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    found = complaint(clv.Fit.from_json, damaged(kept.fit.to_json(), change))
    assert found.startswith("Fit: " + message.format(models=MODELS))
    assert found.endswith(ADVICE)


def test_a_misspelt_model_is_answered_with_the_nearest(kept: Kept) -> None:
    text = damaged(kept.fit.to_json(), lambda fit: fit.update(name="bg_nbt"))
    assert complaint(clv.Fit.from_json, text) == (
        f"Fit: `name` must be one of {MODELS}, got 'bg_nbt'.\nDid you mean 'bg_nbd'?{ADVICE}"
    )


def test_a_damaged_fit_of_contracts_is_refused(kept: Kept) -> None:
    text = kept.by_name["contracts"].to_json()
    for change, message in (
        (
            lambda fit: fit.update(every="yearly"),
            (
                "`every` must be one of 'day', 'week', 'month', 'quarter', 'year', got 'yearly'.\n"
                "Did you mean 'year'?"
            ),
        ),
        (lambda fit: fit.pop("every"), "`every` is missing."),
        (
            lambda fit: fit["likelihood"]["model"].pop("beta"),
            "`sbg` needs `beta`; its parameters are alpha, beta.",
        ),
    ):
        changed = damaged(text, change)
        assert complaint(clv.RetentionFit.from_json, changed) == f"RetentionFit: {message}{ADVICE}"


def test_a_damaged_pattern_is_refused(kept: Kept) -> None:
    text = kept.by_name["pattern"].to_json()
    for change, message in (
        (lambda seen: seen.pop("factor"), "`factor` is missing."),
        (lambda seen: seen.update(factor=0), "`factor` must be above 0, got 0."),
        (lambda seen: seen.update(trend="up"), "`trend` must be a finite number, got 'up'."),
        (
            lambda seen: seen.update(kind_="x"),
            "`kind_` is unknown.",
        ),
    ):
        assert complaint(clv.Pattern.from_json, damaged(text, change)) == (
            f"Pattern: {message}{ADVICE}"
        )

"""Facts about models: registry, units, nesting, models from published parameters."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crmkit.errors import InvalidArgumentError
from crmkit.models import (
    BDW,
    BGBB,
    BGCNBDK,
    BGNBD,
    CONTRACT_MODELS,
    MBGCNBDK,
    MBGNBD,
    NBD,
    OPPORTUNITY_MODELS,
    PURCHASE_MODELS,
    SBG,
    SPEND_MODELS,
    GGompertzNBD,
    ParetoNBD,
    from_parameters,
    parameter_names,
    rescaled,
    summary_table,
)
from tests.companies import DRAWS, Company
from tests.published import printed

REFERENCE = Path(__file__).parent / "reference"
COMPANY = Company(shape=0.6, days=20.0, leaving=0.1, agreement=2.0, amount=30.0)
REGISTRIES: tuple[Any, ...] = (PURCHASE_MODELS, OPPORTUNITY_MODELS, SPEND_MODELS, CONTRACT_MODELS)
MODELS: dict[str, Any] = {
    name: model for registry in REGISTRIES for name, model in registry.items()
}


def drawn(model: type, seed: int = 5) -> tuple[Any, Any]:
    """A model's parameters and 200 of its customers."""
    return DRAWS[model](COMPANY, np.random.default_rng(seed))


# Published


def test_log_likelihood_of_published_parameters_is_the_published_one() -> None:
    # Fader, Hardie & Lee (2005), Table 2, in weeks; the tests of CLVTools have more digits.
    weeks = from_parameters("bg_nbd", r=0.2425945, alpha=4.4136019, a=0.7929199, b=2.4258881)
    _, x, t_x, T, _ = np.genfromtxt(REFERENCE / "cdnow_summary.csv", delimiter=",", skip_header=1).T
    in_weeks = weeks.log_likelihood(x, t_x / 7, T / 7).sum()
    assert printed(in_weeks, like="-9582.4") == "-9582.4"
    days = rescaled(weeks, unit=1 / 7)
    in_days = days.log_likelihood(x, t_x, T).sum()
    assert in_days + x.sum() * math.log(7) == pytest.approx(in_weeks, rel=1e-12)


# Properties


@pytest.mark.parametrize("name", MODELS)
def test_facts_are_stated(name: str) -> None:
    model = MODELS[name]
    assert model.name == name
    assert model.title
    assert model.use.endswith(".")
    assert "\n" not in model.use
    assert {*model.units} <= {*parameter_names(model)}
    assert {*model.nested_in} <= {*MODELS}


@pytest.mark.parametrize("name", [*PURCHASE_MODELS, *SPEND_MODELS])
@pytest.mark.parametrize("unit", [7.0, 30.4375])
def test_a_change_of_unit_adds_only_the_jacobian(name: str, unit: float) -> None:
    truth, (x, *others) = drawn(MODELS[name])
    before = truth.log_likelihood(x, *others)
    after = rescaled(truth, unit=unit).log_likelihood(x, *(column / unit for column in others))
    densities = x if name in PURCHASE_MODELS else 1.0
    np.testing.assert_allclose(after, before + densities * math.log(unit), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", [*OPPORTUNITY_MODELS, *CONTRACT_MODELS])
def test_whole_periods_have_no_unit(name: str) -> None:
    truth, _ = drawn(MODELS[name])
    assert rescaled(truth, unit=7.0) == truth


NESTED: list[tuple[Any, Any]] = [
    (BGNBD(0.6, 12.0, 0.8, 2.4), BGCNBDK(0.6, 12.0, 0.8, 2.4, k=1)),
    (MBGNBD(0.6, 12.0, 0.8, 2.4), MBGCNBDK(0.6, 12.0, 0.8, 2.4, k=1)),
    (NBD(0.6, 12.0), BGNBD(0.6, 12.0, 1e-9, 1.0)),
    (NBD(0.6, 12.0), MBGNBD(0.6, 12.0, 1e-9, 1.0)),
    (NBD(0.6, 12.0), BGCNBDK(0.6, 12.0, 1e-9, 1.0, k=1)),
    (NBD(0.6, 12.0), MBGCNBDK(0.6, 12.0, 1e-9, 1.0, k=1)),
    (NBD(0.6, 12.0), ParetoNBD(0.6, 12.0, 0.5, 1e12)),
    (NBD(0.6, 12.0), GGompertzNBD(0.6, 12.0, b=1e-9, s=0.5, beta=1e3)),
    (ParetoNBD(0.6, 12.0, 0.5, 90.0), GGompertzNBD(0.6, 12.0, b=1e-9, s=0.5, beta=90e-9)),
    (SBG(0.8, 2.4), BDW(0.8, 2.4, 1.0)),
]


@pytest.mark.parametrize(("narrow", "wide"), NESTED, ids=lambda model: model.name)
def test_a_nested_model_is_a_special_case(narrow: Any, wide: Any) -> None:
    nesting = narrow.nested_in[wide.name]
    assert nesting.parameters == len(fields(wide)) - len(fields(narrow))
    _, table = drawn(type(narrow))
    np.testing.assert_allclose(
        wide.log_likelihood(*table), narrow.log_likelihood(*table), rtol=1e-5, atol=1e-6
    )


def test_every_nesting_is_tested() -> None:
    stated = {(name, wide) for name, model in MODELS.items() for wide in model.nested_in}
    assert stated == {(narrow.name, wide.name) for narrow, wide in NESTED}


# Shape


@pytest.mark.parametrize("name", MODELS)
def test_from_parameters_makes_the_model(name: str) -> None:
    truth, _ = drawn(MODELS[name])
    known = {each: getattr(truth, each) for each in parameter_names(truth)}
    assert from_parameters(name, **known) == truth


def test_summary_table_has_a_row_for_each_model() -> None:
    table = {row["name"]: row for row in summary_table()}
    assert [*table] == [*MODELS]
    assert table["bg_nbd"] == {
        "name": "bg_nbd",
        "title": "BG/NBD",
        "parameters": "r, alpha, a, b",
        "use": "Customers may drop out after any repeat purchase; the usual first choice.",
    }


def test_bg_bb_makes_the_class() -> None:
    assert OPPORTUNITY_MODELS["bg_bb"] is BGBB


# Refusals


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        (
            "bg_nbd",
            {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": 1.0, "k": 2},
            "`bg_nbd` has no parameter `k`; its parameters are r, alpha, a, b.",
        ),
        (
            "bg_cnbd_k",
            {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": 1.0},
            "`bg_cnbd_k` needs `k`; its parameters are r, alpha, a, b, k.",
        ),
        ("nbd", {"r": "1", "alpha": 1.0}, "`r` must be a number, got '1'."),
        ("nbd", {"r": True, "alpha": 1.0}, "`r` must be a number, got True."),
        (
            "nbd",
            {"r": -1.0, "alpha": 1.0},
            "NBD parameters must be positive and finite, got NBD(r=-1.0, alpha=1.0).",
        ),
        (
            "bgnbd",
            {},
            (
                "`model` must be one of 'bg_cnbd_k', 'bg_nbd', 'ggompertz_nbd', 'mbg_cnbd_k', "
                "'mbg_nbd', 'nbd', 'pareto_nbd', 'bg_bb', 'gamma_gamma', 'lognormal_spend', 'sbg', "
                "'bdw', got 'bgnbd'."
            ),
        ),
    ],
)
def test_wrong_parameters_are_refused(name: str, parameters: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        from_parameters(name, **parameters)
    assert str(caught.value) == message

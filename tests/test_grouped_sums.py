"""Likelihoods by group of customers: the same as a likelihood of each group alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from crmkit.models import BGNBD, Floats
from crmkit.models.purchases.likelihoods.dropout_likelihood import DropoutLikelihood
from crmkit.models.purchases.likelihoods.pareto_nbd_likelihood import ParetoNBDLikelihood
from crmkit.models.spend.gamma_gamma import GammaGammaLikelihood
from tests.strategies import simulated_histories

CDNOW = BGNBD(r=0.243, alpha=30.9, a=0.793, b=2.426)


def likelihoods() -> dict[str, tuple[Callable[..., Any], list[Floats], Floats]]:
    """How to make each likelihood, its data and log parameters of three groups."""
    x, t_x, T = simulated_histories(CDNOW, np.linspace(1, 700, 600), seed=4)
    one, apart = np.array([0.6, 12.0, 0.3, 4.0]), np.array([[1.0, 1.5, 0.4]])
    histories = [x, t_x, T]
    all_differ = np.log(one[:, np.newaxis] * apart)
    scales_differ = np.log(np.where([[False], [True]] * 2, one[:, np.newaxis] * apart, 0.5))
    spend = [column[x > 0] for column in (x, np.linspace(1.0, 140.0, 600))]
    bg = partial(DropoutLikelihood, dropout_after_first=False)
    mbg = partial(DropoutLikelihood, dropout_after_first=True)
    return {
        "bg_nbd": (bg, histories, all_differ),
        "mbg_nbd": (mbg, histories, all_differ),
        "bg_cnbd_k": (partial(bg, k=3), histories, all_differ),
        "pareto_nbd": (ParetoNBDLikelihood, histories, scales_differ),
        "gamma_gamma": (GammaGammaLikelihood, spend, all_differ[1:]),
    }


@pytest.mark.parametrize("name", likelihoods())
def test_each_group_is_a_table_of_its_own(name: str) -> None:
    make, columns, logs = likelihoods()[name]
    dice = np.random.default_rng(3)
    group = dice.integers(0, 3, len(columns[0]))
    n = dice.integers(1, 5, len(group)).astype(np.float64)
    together = make(*columns, n, group=group).by_group(logs)
    for i in range(3):
        rows = group == i
        alone = make(*(column[rows] for column in columns), n[rows])(logs[:, i])
        for found, expected in zip(together, alone, strict=True):
            np.testing.assert_allclose(found[..., i], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", likelihoods())
def test_customers_may_all_be_groups_of_their_own(name: str) -> None:
    make, columns, logs = likelihoods()[name]
    n = np.ones(len(columns[0]))
    each = make(*columns, n, group=np.arange(len(n))[::-1]).by_group(np.tile(logs[:, :1], len(n)))
    for found, expected in zip(each, make(*columns, n)(logs[:, 0]), strict=True):
        np.testing.assert_allclose(found.sum(axis=-1), expected, rtol=1e-9, atol=1e-9)

"""Sums of logs of gamma(z + n) / gamma(z): the same as from gamma functions, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import digamma, gammaln, polygamma

from crmkit.models import Floats
from crmkit.models.numerics.log_gamma_sums import LogGammaSums

ONE_GROUP = np.zeros(4, np.int64)
N = np.array([5.0, 3.0, 2.0, 1.0])


def by_gamma(z: float, counts: Floats, n: Floats) -> list[float]:
    """Value, slope and bend from gamma functions."""
    return [
        float(n @ (of(z + counts) - of(z)))
        for of in (gammaln, digamma, lambda at: polygamma(1, at))
    ]


# Twins


@pytest.mark.parametrize("z", [1e-3, 0.5, 1.0, 30.0, 1e4])
@pytest.mark.parametrize(
    "counts",
    [[0, 1, 2, 3], [0, 1, 17, 300], [2, 3, 4, 40_000], [0, 0.5, 1.5, 2.25], [0, 0, 0, 0]],
    ids=["few", "gaps", "beyond counting one by one", "fractions", "none"],
)
def test_risings_are_those_of_gamma_functions(z: float, counts: list[float]) -> None:
    found = LogGammaSums(np.array(counts, float), N, group=ONE_GROUP)(np.array([z]))
    np.testing.assert_allclose(found[:, 0], by_gamma(z, np.array(counts), N), rtol=1e-9)


def test_each_group_has_its_own() -> None:
    counts, group, z = np.array([0.0, 2.0, 5.0, 7.0]), np.array([0, 1, 0, 1]), np.array([0.3, 8.0])
    found = LogGammaSums(counts, N, group=group, n_groups=2)(z)
    for i in range(2):
        rows = group == i
        expected = by_gamma(float(z[i]), counts[rows], N[rows])
        np.testing.assert_allclose(found[:, i], expected, rtol=1e-12)


# Properties


def test_a_huge_z_keeps_its_digits() -> None:
    # Log gamma alone has lost them all: at 1e12 it is 3e13, and its last digit 0.004.
    (value,), (slope,), (bend,) = LogGammaSums(np.array([3.0]), np.ones(1), group=ONE_GROUP[:1])(
        np.array([1e12])
    )
    assert value == pytest.approx(3 * np.log(1e12) + 3e-12, rel=1e-15)
    assert slope == pytest.approx(3e-12, rel=1e-11)
    assert bend == pytest.approx(-3e-24, rel=1e-11)

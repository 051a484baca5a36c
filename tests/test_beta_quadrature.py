"""Means over a Beta distribution: against printed values of functions that are such means."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.models.numerics.beta_quadrature import beta_rule
from tests.published import printed

# Published


@pytest.mark.parametrize(
    ("s", "z", "expected"),
    [
        (0.1, -997.0, "0.509569"),
        (0.1, 0.0, "1.0"),
        (0.1, 0.0001, "1.0000"),
        (0.1, 0.9999, "1.90569802"),
        (0.1, 0.5, "1.06398"),
        (2.34, -997.0, "0.0017454"),
        (2.34, 0.0, "1.0"),
        (2.34, 0.0001, "1.00007"),
        (2.34, 0.9999, "18.7518702"),
        (2.34, 0.5, "1.58087"),
    ],
)
def test_gauss_function_of_the_source(s: float, z: float, expected: str) -> None:
    # CLVTools, src/test-cpp.cpp, from Mathematica: 2F1(1, s; s + 1; z). It has 18.75187018, cut
    # off where the next digits are 81.
    assert printed(gauss_as_a_mean(s, z), like=expected) == expected


# Twin


@given(s=st.floats(0.01, 50), log_far=st.floats(-20, 8))
def test_gauss_function_of_any_argument(s: float, log_far: float) -> None:
    z = -float(np.exp(log_far))
    assert gauss_as_a_mean(s, z) == pytest.approx(float(mpmath.hyp2f1(1, s, s + 1, z)), rel=1e-11)


def gauss_as_a_mean(s: float, z: float) -> float:
    """Give 2F1(1, s; s + 1; z) by Euler's integral.

    It is the mean of 1 / (1 - z p) over Beta(s, 1), and of 1 / (1 - z + z p) over Beta(1, s).
    """
    if z <= 0:
        nodes, weights = beta_rule(s, np.array([1.0]), steepness=np.array([-z]))
        return float((weights / (1 - z * nodes)).sum())
    nodes, weights = beta_rule(1.0, np.array([s]), steepness=np.array([z / (1 - z)]))
    return float((weights / (1 - z + z * nodes)).sum())

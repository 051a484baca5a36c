r"""Sigma points: a few parameter vectors that represent the sampling distribution of estimates.

The logs of the parameters, and coefficients of covariates themselves, are about normal around
their estimates. Instead of a thousand draws there are 2m points with equal weights: the estimate,
moved by plus or minus one standard deviation along every principal direction at once, with the
signs of a Hadamard matrix of order m. Their mean, covariance and third moments are those of the
normal distribution, without random numbers.

Two fits, of purchases and of spend, are independent. With the same m for both, each row of signs
of one is paired with the same row of the other, with equal and with opposite sign; then the joint
moments are right too.

References
----------
Stroud, A. H. (1957). Remarks on the disposition of points in numerical integration formulas.
*Mathematics of Computation* 11(60), 257-261. https://doi.org/10.1090/S0025-5718-1957-0095638-0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from crmkit.models.inference.newton import MaximumLikelihood
from crmkit.models.numerics.arrays import Floats

Model = TypeVar("Model")


class Point(NamedTuple, Generic[Model]):
    """Parameters and coefficients of one point; all points have equal weight."""

    model: Model
    coefficients: Floats


def n_directions(*found: MaximumLikelihood[Any]) -> int:
    """Smallest sufficient order for all fits: a power of two."""
    most = max(len(identified_positions(one)) for one in found)
    return 1 << max(most - 1, 0).bit_length()


def identified_positions(found: MaximumLikelihood[Any]) -> list[int]:
    """Positions of the parameters that have a standard error."""
    errors = found.standard_errors_log
    return [position for position, error in enumerate(errors) if error is not None]


def unidentified_parameters(found: MaximumLikelihood[Any]) -> list[str]:
    """Names of the parameters that are not identified by the data."""
    errors = zip(found.names, found.standard_errors_log, strict=True)
    return [name for name, error in errors if error is None]


def sigma_points(
    found: MaximumLikelihood[Model], *, order: int
) -> list[tuple[Point[Model], Point[Model]]]:
    """Compute `order` pairs of points, the two of a pair moved in opposite directions.

    A parameter without a standard error stays at its estimate.
    """
    positions = identified_positions(found)
    names = found.names[: len(found.names) - len(found.coefficients)]
    known = [[found.covariance_log[i][j] for j in positions] for i in positions]
    moves = np.zeros((order, len(found.names)))
    moves[:, positions] = _signs(order)[:, : len(positions)] @ _square_root(known).T

    def moved(by: Floats) -> Point[Model]:
        changed = {
            name: getattr(found.model, name) * float(np.exp(step))
            for name, step in zip(names, by, strict=False)
        }
        model = replace(found.model, **changed)  # type: ignore[type-var]  # a frozen dataclass
        return Point(model, np.array(found.coefficients) + by[len(names) :])

    return [(moved(by), moved(-by)) for by in moves]


def _square_root(covariance: Sequence[Sequence[float | None]]) -> Floats:
    """Matrix whose columns are principal directions, one standard deviation long."""
    if not covariance:
        return np.zeros((0, 0))
    variances, directions = np.linalg.eigh(np.array(covariance, dtype=np.float64))
    return directions * np.sqrt(np.maximum(variances, 0.0))


def _signs(order: int) -> Floats:
    """Sylvester's Hadamard matrix: orthogonal columns of plus and minus one."""
    signs = np.ones((1, 1))
    while len(signs) < order:
        signs = np.block([[signs, signs], [signs, -signs]])
    return signs

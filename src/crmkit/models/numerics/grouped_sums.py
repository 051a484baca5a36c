"""Sums over groups of customers, each group with its own parameters.

Without covariates all customers are one group. With them, customers with equal covariates form a
group; there may be as many groups as customers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from crmkit.models.numerics.arrays import Codes, Floats
from crmkit.models.numerics.distinct import distinct, distinct_pairs

Derivatives = tuple[float, Floats, Floats]
"""A value, its gradient and its Hessian."""

ByGroup = tuple[Floats, Floats, Floats]
"""The same for each group, the last axis of each array."""


class GroupedLikelihood(Protocol):
    """Log-likelihood of a table as a function of the logs of the parameters."""

    def by_group(self, log_parameters: Floats, /) -> ByGroup:
        """Value, gradient and Hessian of each group, by its own log parameters.

        `log_parameters` has a row for each parameter and a column for each group.
        """
        ...

    def __call__(self, log_parameters: Floats, /) -> Derivatives:
        """Value, gradient and Hessian, summed over customers as one group."""
        value, gradient, hessian = self.by_group(log_parameters[:, np.newaxis])
        return float(value[0]), gradient[:, 0], hessian[:, :, 0]


class GroupedValues(NamedTuple):
    """Distinct values in each group, and the index of each row's value."""

    values: Floats
    group: Codes
    of_row: Codes


def distinct_in_groups(values: Floats, group: Codes | None) -> GroupedValues:
    """Distinct values in each group; without `group`, all rows are one group."""
    if group is None:
        found, of_row = distinct(values)
        return GroupedValues(found, np.zeros(len(found), np.int64), of_row)
    found, groups, of_row = distinct_pairs(values, group.astype(np.float64))
    return GroupedValues(found, groups.astype(np.int64), of_row)


def of_group(parameters: Floats, group: Codes) -> Floats:
    """Parameters of each row's group; those of a single group are left to broadcast."""
    return parameters if parameters.shape[-1] == 1 else parameters[..., group]


def summed(values: Floats, weights: Floats, group: Codes, n_groups: int) -> Floats:
    """Sum weighted values along the last axis, within each group."""
    if n_groups == 1:
        return np.asarray(values @ weights)[..., np.newaxis]
    rows = (values * weights).reshape(-1, len(weights))
    sums = [np.bincount(group, row, n_groups).astype(np.float64) for row in rows]
    return np.stack(sums).reshape(*values.shape[:-1], n_groups)


def summed_products(
    slopes: Sequence[Floats], weights: Floats, group: Codes, n_groups: int
) -> Floats:
    """Sum the weighted products of all pairs of slopes, within each group.

    In a loop: a matrix product of this flat shape costs three times as much.
    """
    found = np.empty((len(slopes), len(slopes), n_groups))
    for i, slope in enumerate(slopes):
        weighted = slope * weights
        for j in range(i + 1):
            found[i, j] = found[j, i] = summed(slopes[j], weighted, group, n_groups)
    return found

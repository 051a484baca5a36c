"""What numpy computes from columns in which some values are unknown."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]


def where_known(
    compute: Callable[..., Mapping[str, Floats]], arrays: Mapping[str, Floats]
) -> Mapping[str, Floats]:
    """Compute on the rows in which all inputs are known; the others are NaN."""
    known = functools.reduce(operator.and_, (~np.isnan(values) for values in arrays.values()))
    if known.all():
        return compute(**arrays)
    found = compute(**{name: values[known] for name, values in arrays.items()})
    return {name: _spread(values, known) for name, values in found.items()}


def _spread(values: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    full = np.full(known.shape, np.nan)
    full[known] = values
    return full

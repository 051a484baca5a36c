"""Area under the ROC curve of grouped scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def area_of_groups(yes: Floats, no: Floats) -> float:
    """How often one with the outcome has a higher score than one without; ties count half.

    `yes` and `no` are the customers, or their weights, with and without the outcome in each group
    of equal scores, the highest first. NaN where all or none have it.
    """
    pairs = yes.sum() * no.sum()
    if not pairs > 0:
        return float("nan")
    below = no.sum() - np.cumsum(no) + no / 2
    return float(yes @ below / pairs)

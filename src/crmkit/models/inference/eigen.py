"""The axes of a curved surface, or a word on why it has none."""

from __future__ import annotations

import numpy as np

from crmkit.errors import FitError
from crmkit.models.numerics.arrays import Floats


def eigh(matrix: Floats) -> tuple[Floats, Floats]:
    """Give the eigenvalues of a symmetric matrix, rising, and its eigenvectors as columns."""
    if np.isfinite(matrix).all():
        try:
            values, vectors = np.linalg.eigh(matrix)
        except np.linalg.LinAlgError:  # its steps did not end
            pass
        else:
            return values, vectors
    msg = (
        "The likelihood of these histories is no number that a search could follow.\n"
        "Look for values that cannot be, such as endless times or amounts."
    )
    raise FitError(msg)

"""Eigendecomposition of a Hessian, with a clear error where it fails."""

from __future__ import annotations

import numpy as np

from crmkit.errors import FitError
from crmkit.models.numerics.arrays import Floats


def eigh(matrix: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues of a symmetric matrix, ascending, and its eigenvectors as columns."""
    if np.isfinite(matrix).all():
        try:
            values, vectors = np.linalg.eigh(matrix)
        except np.linalg.LinAlgError:  # did not converge
            pass
        else:
            return values, vectors
    msg = (
        "The likelihood of these histories is not finite.\n"
        "Check for impossible values, such as infinite times or amounts."
    )
    raise FitError(msg)

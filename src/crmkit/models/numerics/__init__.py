"""Numerical building blocks: special functions, quadrature, sums."""

from __future__ import annotations

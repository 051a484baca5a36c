"""Posterior of the parameters."""

from __future__ import annotations

"""Posterior of the parameters by importance sampling."""

from __future__ import annotations

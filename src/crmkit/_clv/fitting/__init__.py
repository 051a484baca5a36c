"""Fit models to the customers' histories."""

from __future__ import annotations

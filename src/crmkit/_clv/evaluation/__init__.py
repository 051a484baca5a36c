"""Test forecasts on held-out data, compare and diagnose models."""

from __future__ import annotations

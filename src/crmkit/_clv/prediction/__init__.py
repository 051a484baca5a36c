"""Predict purchases, spend and value per customer and in total."""

from __future__ import annotations

"""Fits of models to customers' histories."""

from __future__ import annotations

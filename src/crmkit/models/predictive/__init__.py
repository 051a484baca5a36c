"""Predictive distributions of purchases and amounts."""

from __future__ import annotations

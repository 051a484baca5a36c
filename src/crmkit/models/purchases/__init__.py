"""Models of purchases: how often customers buy and when they drop out."""

from __future__ import annotations

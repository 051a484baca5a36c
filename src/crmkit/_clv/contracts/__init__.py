"""Retention of customers under contract."""

from __future__ import annotations

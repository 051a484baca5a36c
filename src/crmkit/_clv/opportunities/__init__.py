"""Customers with discrete opportunities to buy."""

from __future__ import annotations

"""From the ledger to purchase days and to one row per customer."""

from __future__ import annotations

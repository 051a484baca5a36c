"""The default ways to rank and forecast beside plain rules, on held-out days of one's own log."""

from __future__ import annotations

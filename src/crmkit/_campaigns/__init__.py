"""Campaigns: what a contact must bring to pay."""

from __future__ import annotations

"""Uplift: what a contact changes, learned from an experiment."""

from __future__ import annotations

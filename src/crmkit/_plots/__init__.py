"""Plots, behind `crmkit.plots`."""

from __future__ import annotations

"""Gradient-boosted trees and the ranking with them, behind `crmkit.clv`."""

from __future__ import annotations

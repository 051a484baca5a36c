"""Why customers leave: what a model looks at, and what customers say."""

from __future__ import annotations

"""Maximum likelihood: search, standard errors, covariates, diagnostics."""

from __future__ import annotations

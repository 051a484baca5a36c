"""Likelihoods of the purchase models: values, gradients and Hessians, and their integrals."""

from __future__ import annotations

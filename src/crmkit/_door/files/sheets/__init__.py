"""Workbooks, and web pages that pass for them."""

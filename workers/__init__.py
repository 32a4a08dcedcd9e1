"""Rows to histories and online values: everything that runs without Feast."""

"""Benchmarks: contenders side by side, in turns, in one run; every target is a ratio between two of them."""

"""Runs that go on from the sums of the one before: when they may, and what is kept for the next one."""

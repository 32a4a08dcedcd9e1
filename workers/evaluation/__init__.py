"""How good a learned feature is: metrics with intervals, honest baselines, splits by time, and a report to read."""

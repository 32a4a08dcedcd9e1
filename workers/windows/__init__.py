"""From rows to windowed values: pure functions over Arrow and NumPy."""

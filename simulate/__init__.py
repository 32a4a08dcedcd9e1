"""Shoppers with hidden interests, moods and lives: rows for tests and benchmarks, and the truth beside them."""

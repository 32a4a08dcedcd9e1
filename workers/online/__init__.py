"""The embedded online store: one packed value per entity and view, in one SQLite file."""

"""The `limner` command: wiring, settings and rendering. The only package that prints."""

"""Reads from `limner serve`: `limner.Client`, and `limner.AsyncClient` for asyncio."""

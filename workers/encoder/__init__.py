"""Triton: models resolved and installed, a server started, and the client that encodes texts with it."""

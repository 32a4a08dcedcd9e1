"""Fixtures that every test may use."""

from integration.triton_server import own_triton, triton

__all__ = ["own_triton", "triton"]

"""Fixtures that every test may use."""

from tests.integration.triton_server import own_triton, triton

__all__ = ["own_triton", "triton"]

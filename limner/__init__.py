"""Limner: user profiles declared in YAML, computed by Ray and Triton, registered and served by Feast."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limner.serving.client.blocking import Client
    from limner.serving.client.waiting import AsyncClient
    from limner.workers.online.store import Store

__all__ = ["AsyncClient", "Client", "Store"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that `import limner` costs nothing."""
    if name == "Store":
        from limner.workers.online.store import Store

        return Store
    if name == "Client":
        from limner.serving.client.blocking import Client

        return Client
    if name == "AsyncClient":
        from limner.serving.client.waiting import AsyncClient

        return AsyncClient
    raise AttributeError(f"module 'limner' has no attribute {name!r}")

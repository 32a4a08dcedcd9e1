"""Limner: user profiles declared in YAML, computed by Ray and Triton, registered and served by Feast."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limner.workers.online.store import Store

__all__ = ["Store"]


def __getattr__(name: str) -> Any:
    """Import `Store` on first use, so that `import limner` costs nothing."""
    if name == "Store":
        from limner.workers.online.store import Store

        return Store
    raise AttributeError(f"module 'limner' has no attribute {name!r}")

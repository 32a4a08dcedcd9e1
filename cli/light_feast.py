"""Feast, imported for a command without what no command of ours uses: a third of the time.

Feast 0.67 imports torch in case somebody calls `to_tensor`, and has typeguard weave type checks into its classes, for
which typeguard parses whole modules again, once a method. Stock `feast` does both; see docs/performance.md for figures.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

_TORCH = "feast.torch_wrapper"


def load() -> None:
    """Import Feast, unless somebody has. Its objects then take arguments of any type; registering them still fails."""
    if "feast" in sys.modules:
        return
    import typeguard

    weave = typeguard.typechecked
    typeguard.typechecked = _unchanged
    sys.modules[_TORCH] = _torch_on_demand()
    try:
        import feast  # noqa: F401 - for its place in sys.modules
    finally:
        typeguard.typechecked = weave


def _unchanged(target: Any = None, **_options: object) -> Any:
    return _unchanged if target is None else target


def _torch_on_demand() -> ModuleType:
    """What stands in for Feast's wrapper around torch: the import waits until Feast needs it."""
    module = ModuleType(_TORCH)
    module.get_torch = lambda: importlib.import_module("torch")  # type: ignore[attr-defined]
    return module

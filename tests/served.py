"""The served model's own files, loaded as Triton does: from their folder, as modules without a package."""

import importlib
import sys
from types import ModuleType

from limner.workers.encoder.repository import templates

FOLDER = templates() / "bert_encoder" / "1"


def served(name: str) -> ModuleType:
    """The module NAME.py of the served model; those that it imports are found beside it."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))

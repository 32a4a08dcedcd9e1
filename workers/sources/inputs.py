"""Whether the input is still what it was: a fingerprint of the files a source and its lookups read."""

import hashlib
import os
from pathlib import Path

from limner.language.repo import Specs
from limner.workers.sources.files import found


def input_fingerprint(specs: Specs, source: str, root: Path) -> str | None:
    """sha256 (hex) over name, size and modification time of every file, and the version of a Delta table; None where a
    SQL table is among the inputs.
    """
    digest = hashlib.sha256()
    for name in (source, *sorted(specs.sources[source].lookup)):
        each = specs.sources[name]
        if each.database is not None:
            return None
        files = found(each, root)
        digest.update(files.version.encode())
        for file in files.paths:
            status = file.stat()
            relative = os.path.relpath(file, root)
            digest.update(f"{name}\0{relative}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()

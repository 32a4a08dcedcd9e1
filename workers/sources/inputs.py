"""Whether the input is still what it was: a fingerprint of the files a source and its lookups read."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from limner.language.models import Source
from limner.language.repo import Specs
from limner.workers.sources.files import found


def inputs_fingerprint(specs: Specs, sources: Sequence[str], root: Path) -> str | None:
    """sha256 (hex) of what several sources read, in any order; None where one of them cannot tell."""
    if len(sources) == 1:
        return input_fingerprint(specs, sources[0], root)
    found = {name: input_fingerprint(specs, name, root) for name in sources}
    if None in found.values():
        return None
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


def identities(source: Source, root: Path) -> dict[str, tuple[int, int]]:
    """By the path (relative to `root`) of each file of a source its size and time of modification (ns)."""
    status = {os.path.relpath(file, root): file.stat() for file in found(source, root).paths}
    return {file: (each.st_size, each.st_mtime_ns) for file, each in status.items()}


def input_fingerprint(specs: Specs, source: str, root: Path) -> str | None:
    """sha256 (hex) over name, size and modification time of every file, and the version of a Delta table; None where a
    SQL table is among the inputs.
    """
    digest = hashlib.sha256()
    for name in (source, *sorted(specs.sources[source].others)):
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

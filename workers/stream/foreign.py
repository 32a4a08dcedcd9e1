"""What others than workers do to the views they follow: runs that compute them, and files that somebody brings."""

from collections.abc import Iterable
from pathlib import Path

from limner.workers.history.manifest import STREAM, History
from limner.workers.sources.inputs import identities
from limner.workers.stream.choose import Streamed

Runs = frozenset[tuple[str | None, tuple[str, ...]]]
Files = tuple[tuple[str, str, tuple[int, int]], ...]


def runs_of(histories: Iterable[History]) -> Runs:
    """What runs have put into histories: another value, another run."""
    segments = (segment for history in histories for segment in history.manifest().segments)
    return frozenset((segment.inputs, segment.files) for segment in segments if segment.inputs != STREAM)


def files_of(streamed: Streamed, root: Path, ours: str) -> Files:
    """Source, path, size and time of modification of all files that views are made of, but those named `ours`..."""
    found: set[tuple[str, str, tuple[int, int]]] = set()
    for plan in streamed.plans.values():
        read = set(plan.view.reads)
        for name in read.union(*(plan.specs.sources[each].others for each in read)):
            files = identities(plan.specs.sources[name], root)
            found |= {(name, file, status) for file, status in files.items() if not Path(file).name.startswith(ours)}
    return tuple(sorted(found))

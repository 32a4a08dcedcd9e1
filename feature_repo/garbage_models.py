"""Versions of models that nothing asks any more, for `limner gc`."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from limner.feature_repo.project import Project
from limner.language.repo import load
from limner.workers.models.pins import with_pins
from limner.workers.models.versions import registered


@dataclass(frozen=True)
class Unpinned:
    """A version that nothing needs, where it is, and why."""

    model: str
    version: str
    why: str
    path: Path


def unpinned(project: Project, closures: Iterable[str]) -> Iterator[Unpinned]:
    """Versions of earlier definitions, or of models that are not declared any more, which no closure (JSON) pins.

    All versions of a model as it is declared now speak, each of its time, so they stay; the next version of segments is
    told by the one before it, too. LimnerError where the specs, or what a model reads, cannot be read.
    """
    data = project.settings.data
    folder = data / "models"
    models = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not models:
        return
    specs = with_pins(load(project.settings.specs), project.root, data)
    needed = {(name, pin.version) for name, model in specs.models.items() for pin in model.versions}
    needed |= {pin for closure in closures for pin in _pinned(closure)}
    for name in models:
        why = "of an earlier definition" if name in specs.models else "its model is not declared any more"
        for version in registered(data, name):
            if (name, version) not in needed:
                yield Unpinned(name, version, why, folder / name / version)


def _pinned(closure: str) -> Iterator[tuple[str, str]]:
    for document in json.loads(closure):
        if "model" in document:
            yield from ((document["model"], each["version"]) for each in document.get("versions", ()))

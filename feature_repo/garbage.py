"""`limner gc`: what nothing serves and nothing applied needs, found and removed."""

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from feast import FeatureStore, FeatureView
from feast.infra.online_stores.helpers import get_online_store_from_config

from limner.feature_repo.applied import applied_plan
from limner.feature_repo.compile import CLOSURE_TAG, FINGERPRINT_TAG
from limner.feature_repo.events_view import EVENTS_TAG
from limner.feature_repo.garbage_models import unpinned
from limner.feature_repo.online_store import LimnerOnlineStore, online_place
from limner.feature_repo.project import Project
from limner.feature_repo.quiet import hush
from limner.language.errors import LimnerError
from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.serving import drop
from limner.workers.history.lock import view_lock
from limner.workers.history.served import Pointer, forget, pointers
from limner.workers.history.version import read_version
from limner.workers.online.opening import open_database, open_writer
from limner.workers.text.scorers import served_name

Kind = Literal["history", "online values", "embeddings", "fit", "model version", "stage", "half removed"]
_OF_ANY = ("embeddings", "fit", "model version")  # any view may use them
_GONE = ".gone"  # below data: what is being removed; a rename into it is the step that counts


@dataclass(frozen=True, order=True)
class Item:
    """Something that can go: where it is, how large, and why nothing needs it. `view`: whose, if one view's."""

    kind: Kind
    name: str
    why: str
    bytes: int
    view: str = ""
    path: Path | None = None


@dataclass(frozen=True)
class Garbage:
    """What can go, and what could not be looked at, with the reason."""

    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """The size of all items."""
        return sum(item.bytes for item in self.items)


@dataclass
class _Project:
    """What is applied, served and kept."""

    project: Project
    store: FeatureStore
    keep: int
    views: Mapping[str, FeatureView] = field(default_factory=dict)
    known: Mapping[str, Pointer] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.project.settings.data

    def needed(self, view: str) -> set[str]:
        """Fingerprints of a view that are applied, served, or kept to go back to."""
        if view not in self.views:
            return set()
        pointer = self.known.get(view)
        served = set() if pointer is None else {pointer.fingerprint, *pointer.earlier[: self.keep]}
        return {*served, self.views[view].tags.get(FINGERPRINT_TAG, "")}


def find(root: Path, keep: int = 1) -> Garbage:
    """All that can go, with `keep` earlier versions of each view left to go back to. Removes nothing."""
    here = _open(root, keep)
    notes: list[str] = []
    items = [*_histories(here), *_online(here), *_embeddings(here, notes), *_models(here, notes)]
    items += [*_stages(here), *_half_removed(here)]
    return Garbage(tuple(sorted(items)), tuple(notes))


def remove(root: Path, items: Sequence[Item], keep: int = 1) -> Garbage:
    """Remove items that can still go; returns them, and a note for what could not.

    What a run works on is left alone. After a kill in the middle each item is whole or gone, or found as half removed.
    """
    here = _open(root, keep)
    notes: list[str] = []
    removed: list[Item] = []
    for item in items:
        with ExitStack() as locks:
            try:
                for view in [item.view] if item.view else here.views if item.kind in _OF_ANY else []:
                    locks.enter_context(view_lock(here.data / "online" / view))
                    locks.enter_context(view_lock(here.data / "history" / view))
                if item.kind == "model version" and item.path is not None:
                    locks.enter_context(view_lock(item.path.parent, "fitted"))
            except LimnerError as error:
                notes.append(f"{item.kind} {item.name} is left: {error}")
                continue
            here = _open(root, keep)  # under the locks: an apply or a run may have come first
            if any((item.kind, item.view, item.path) == (each.kind, each.view, each.path) for each in _of(here, item)):
                _remove(here, item)
                removed.append(item)
    shutil.rmtree(here.data / _GONE, ignore_errors=True)
    return Garbage(tuple(removed), tuple(notes))


def _of(here: _Project, item: Item) -> Iterator[Item]:
    """All that can go now of the kind of `item`."""
    match item.kind:
        case "history":
            yield from _histories(here)
        case "online values":
            yield from _online(here)
        case "embeddings" | "fit":
            yield from _embeddings(here, [])
        case "model version":
            yield from _models(here, [])
        case "stage":
            yield from _stages(here)
        case "half removed":
            yield from _half_removed(here)


def _open(root: Path, keep: int) -> _Project:
    hush()
    project = Project.at(root / "feature_repo")
    store = FeatureStore(repo_path=str(project.repo))
    views = {view.name: view for view in store.list_feature_views() if EVENTS_TAG not in view.tags}
    return _Project(project, store, keep, views, pointers(project.settings.data / "history"))


def _remove(here: _Project, item: Item) -> None:
    if item.kind == "online values":
        with open_writer(online_place(here.store.config)) as writer:
            writer.drop_unserved(item.view)
    if item.kind == "model version" and item.path is not None:  # of a tuned one Triton may still have it loaded
        name = served_name(item.path.parent.name, item.path.name)
        drop(TritonHome(here.project.root), here.project.settings.triton, name)
    if item.path is not None:
        if item.kind == "history" and item.view not in here.views:
            forget(here.data / "history", [item.view])
        _away(here, item.path)
    if item.view and item.view not in here.views:
        for folder in (here.data / "history" / item.view, here.data / "online" / item.view):
            if folder.is_dir() and not _folders(folder):
                _away(here, folder)


def _away(here: _Project, path: Path) -> None:
    """One rename: a kill before or after it leaves all or nothing of `path` in its place."""
    gone = here.data / _GONE
    gone.mkdir(parents=True, exist_ok=True)
    path.rename(gone / f"{uuid.uuid4().hex[:8]}-{path.name}")


def _histories(here: _Project) -> Iterator[Item]:
    for folder in _folders(here.data / "history"):
        needed = here.needed(folder.name)
        for version in _folders(folder):
            if version.name not in needed:
                why = "an earlier version" if folder.name in here.views else "its view is not applied"
                name = f"{folder.name} {version.name[:12]}"
                yield Item("history", name, why, _size(version), folder.name, version)


def _online(here: _Project) -> Iterator[Item]:
    if not _is_ours(here.store):
        return
    database = open_database(online_place(here.store.config))
    try:
        if not database.exists():
            return
        with database.reading() as snapshot:
            for generation in snapshot.unserved():
                view = generation.schema.view
                why = "written by a run that did not end, or waits to be served"
                yield Item("online values", view, why, snapshot.bytes_of(generation), view)
    finally:
        database.close()


def _is_ours(store: FeatureStore) -> bool:
    return isinstance(get_online_store_from_config(store.config.online_store), LimnerOnlineStore)


def _embeddings(here: _Project, notes: list[str]) -> Iterator[Item]:
    """Vectors of encoders that no view uses as applied, served or kept."""
    used: set[str] = set()
    for name, view in here.views.items():
        if FINGERPRINT_TAG not in view.tags:
            continue
        for fingerprint in here.needed(name):
            version = read_version(here.data / "history" / name / fingerprint)
            used |= set() if version is None else set(version.encoders.values())
        try:
            used |= {model.fingerprint for model in applied_plan(view, here.project).encoders.values()}
        except LimnerError as error:
            notes.append(f"embeddings are left: which ones {name} needs cannot be told ({error})")
            return
    for folder in _folders(here.data / "embeddings"):
        if folder.name not in used:
            yield Item("embeddings", folder.name[:12], "no view uses their encoder", _size(folder), "", folder)
    for file in sorted(file for form in ("json", "safetensors") for file in (here.data / "encoders").glob(f"*.{form}")):
        if file.stem not in used:
            yield Item("fit", file.stem[:12], "no view uses the encoder that learned it", file.stat().st_size, "", file)


def _models(here: _Project, notes: list[str]) -> Iterator[Item]:
    """Versions of models that no view asks as applied, served or kept, and that no view would ask."""
    closures = [view.tags[CLOSURE_TAG] for view in here.views.values() if CLOSURE_TAG in view.tags]
    for name in here.views:
        for fingerprint in here.needed(name):
            version = read_version(here.data / "history" / name / fingerprint)
            closures += [] if version is None else [version.closure]
    try:
        for each in unpinned(here.project, closures):
            yield Item("model version", f"{each.model} {each.version}", each.why, _size(each.path), "", each.path)
    except LimnerError as error:
        notes.append(f"versions of models are left: which ones are needed cannot be told ({error})")


def _stages(here: _Project) -> Iterator[Item]:
    for folder in _folders(here.data / "stage"):
        yield Item("stage", folder.name, "of a run that did not end", _size(folder), folder.name, folder)


def _half_removed(here: _Project) -> Iterator[Item]:
    gone = here.data / _GONE
    if gone.is_dir():
        yield Item("half removed", _GONE, "removing it was interrupted", _size(gone), "", None)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

"""What `feast apply` would change, as data: which views are new, changed or dropped, why, and what must be rebuilt."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from limner.feature_repo.compile import CLOSURE_TAG, FINGERPRINT_TAG, Compiled, compile_project, profile_lists
from limner.feature_repo.project import Project
from limner.workers.history.manifest import History
from limner.workers.history.served import served_history
from limner.workers.online.pack import instant

Action = Literal["new", "changed", "dropped", "unchanged"]
_KINDS = ("feature_view", "encoder", "source", "entity")  # a document is of the first kind it has the key of


@dataclass(frozen=True, order=True)
class ViewChange:
    """What becomes of one view.

    `rebuild` is the interval (after, until] in µs UTC whose history the next run computes anew; None if none is.
    """

    view: str
    action: Action
    reasons: tuple[str, ...] = ()
    rebuild: tuple[int, int] | None = None
    fingerprint: str | None = None

    def __str__(self) -> str:
        text = f"{self.view}: {self.action}"
        if self.reasons:
            text += f" ({'; '.join(self.reasons)})"
        if self.rebuild is not None:
            after, until = (f"{instant(each):%Y-%m-%d %H:%M}" for each in self.rebuild)
            text += f"; its history from {after} to {until} UTC is rebuilt by the next run"
        return text


@dataclass(frozen=True, order=True)
class ProfileChange:
    """What becomes of one profile."""

    profile: str
    action: Action
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.profile}: {self.action}" + (f" ({'; '.join(self.reasons)})" if self.reasons else "")


@dataclass(frozen=True)
class PlanResult:
    """A plan for the project at `root`, sorted by name. Equal plans change the same."""

    root: Path
    views: tuple[ViewChange, ...]
    profiles: tuple[ProfileChange, ...]

    def counts(self) -> dict[str, int]:
        """Views by action."""
        actions = [change.action for change in self.views]
        return {action: actions.count(action) for action in ("new", "changed", "dropped", "unchanged")}

    @property
    def empty(self) -> bool:
        """Whether applying it would change nothing."""
        return all(action == "unchanged" for action in self._actions())

    @property
    def unsafe(self) -> bool:
        """Whether it takes something away that is served now."""
        return "dropped" in self._actions()

    def _actions(self) -> list[Action]:
        return [*(change.action for change in self.views), *(change.action for change in self.profiles)]


@dataclass(frozen=True)
class Registered:
    """What Feast's registry says: the tags of our views, and the members of the profiles."""

    views: Mapping[str, Mapping[str, str]]
    profiles: Mapping[str, Mapping[str, list[str]]]


def plan(root: Path) -> PlanResult:
    """Compare the specs of a project with what is registered. Reads only; raises SpecError or LimnerError."""
    project = Project.at(root / "feature_repo")
    return compare(project, compile_project(project), registered(project))


def registered(project: Project) -> Registered:
    """Read Feast's registry; empty before the first apply."""
    from feast import FeatureStore

    from limner.feature_repo.quiet import hush

    hush()
    store = FeatureStore(repo_path=str(project.repo))
    views = {view.name: dict(view.tags) for view in store.list_feature_views() if FINGERPRINT_TAG in view.tags}
    profiles = {
        service.name: {p.name: [f.name for f in p.features] for p in service.feature_view_projections}
        for service in store.list_feature_services()
    }
    return Registered(views, profiles)


def compare(project: Project, compiled: Compiled, known: Registered) -> PlanResult:
    """Pure but for a look at which histories exist."""
    views = [_view(project, compiled, known, name) for name in {*compiled.plans, *known.views}]
    wanted = profile_lists(compiled.specs)
    profiles = [_profile(wanted.get(name), known.profiles.get(name), name) for name in {*wanted, *known.profiles}]
    return PlanResult(project.root, tuple(sorted(views)), tuple(sorted(profiles)))


def _view(project: Project, compiled: Compiled, known: Registered, name: str) -> ViewChange:
    if name not in compiled.plans:
        return ViewChange(name, "dropped", ("its values are no longer served",))
    fingerprint = compiled.plans[name].fingerprint
    if name not in known.views:
        return ViewChange(name, "new", (), None, fingerprint)
    before, after = known.views[name], compiled.objects[f"view_{name}"].tags
    reasons = tuple(_differences(before.get(CLOSURE_TAG, "[]"), after[CLOSURE_TAG]))
    if before[FINGERPRINT_TAG] == fingerprint:
        return ViewChange(name, "changed" if reasons else "unchanged", reasons, None, fingerprint)
    if not reasons:
        reasons = ("the files of its encoder, or the meaning of specs, are others",)
    return ViewChange(name, "changed", reasons, _rebuild(project, name, fingerprint), fingerprint)


def _rebuild(project: Project, view: str, fingerprint: str) -> tuple[int, int] | None:
    served = served_history(project.history(view))
    coverage = None if served is None else served.coverage()
    done = History(project.history(view) / fingerprint).coverage()
    if coverage is None or (done is not None and done[0] <= coverage[0] and done[1] >= coverage[1]):
        return None
    return coverage


def _profile(after: Mapping[str, list[str]] | None, before: Mapping[str, list[str]] | None, name: str) -> ProfileChange:
    if after is None:
        return ProfileChange(name, "dropped")
    if before is None:
        return ProfileChange(name, "new")
    old = {f"{view}:{feature}" for view, features in before.items() for feature in features}
    new = {f"{view}:{feature}" for view, features in after.items() for feature in features}
    reasons = (*(f"+ {each}" for each in sorted(new - old)), *(f"- {each}" for each in sorted(old - new)))
    return ProfileChange(name, "changed" if reasons else "unchanged", reasons)


def _differences(before: str, after: str) -> Iterator[str]:
    """`key.path: old -> new` for each key of the documents behind a view that changed."""
    old, new = _documents(before), _documents(after)
    for kind, name in sorted({*old, *new}, key=lambda each: (_KINDS.index(each[0]), each[1])):
        where = "" if kind == "feature_view" else f"{kind} {name}: "
        if (kind, name) not in new or (kind, name) not in old:
            yield f"{where}{'added' if (kind, name) in new else 'removed'}"
        else:
            yield from (where + each for each in _walk(old[kind, name], new[kind, name], ""))


def _documents(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for document in json.loads(text):
        kind = next(kind for kind in _KINDS if kind in document)
        found[kind, str(document[kind])] = document
    return found


def _walk(old: Any, new: Any, path: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            inner = f"{path}.{key}" if path else str(key)
            if key not in new:
                yield f"{inner} removed"
            elif key not in old:
                yield f"{inner} added"
            else:
                yield from _walk(old[key], new[key], inner)
        if list(old) != list(new) and set(old) == set(new):
            yield f"{path or 'keys'}: another order"
        return
    yield f"{path}: {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."

"""What `feast apply` would change, as data: which views are new, changed or dropped, why, and what must be rebuilt."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from limner.feature_repo.compile import CLOSURE_TAG, FINGERPRINT_TAG, Compiled, compile_project, profile_lists
from limner.feature_repo.differences import Identity, Reason, differences
from limner.feature_repo.events_view import EVENTS_TAG
from limner.feature_repo.example_check import refuse_failing
from limner.feature_repo.model_notes import model_notes
from limner.feature_repo.on_demand import DOCUMENT_TAG, IDENTITY_TAG, REQUEST_TAG
from limner.feature_repo.project import Project
from limner.feature_repo.request_changes import RequestChange, request_changes
from limner.language.canonical import canonical
from limner.language.closure import from_closure
from limner.language.fingerprint import NOT_VALUES, fingerprint
from limner.workers.history.manifest import History
from limner.workers.history.served import served_history
from limner.workers.online.pack import instant

Action = Literal["new", "changed", "dropped", "unchanged"]
_CHECKSUM = 12  # hex digits
_OTHER_FILES = Reason("the files of its encoder, or the meaning of specs, are others")


@dataclass(frozen=True, order=True)
class ViewChange:
    """What becomes of one view.

    `rebuild` is the interval (after, until] in µs UTC whose history the next run computes anew; None if none is.
    `notes`: what the models mean for it that it asks.
    """

    view: str
    action: Action
    reasons: tuple[Reason, ...] = ()
    rebuild: tuple[int, int] | None = None
    fingerprint: str | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.view}: {self.action}"
        if self.reasons:
            text += f" ({'; '.join(map(str, self.reasons))})"
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


@dataclass(frozen=True, order=True)
class PushChange:
    """What becomes of one source whose events Feast can push."""

    source: str
    action: Action

    def __str__(self) -> str:
        return f"push source {self.source}: {self.action}"


@dataclass(frozen=True)
class PlanResult:
    """A plan for the project at `root`, sorted by name.

    `checksum` names what would be applied over what is registered: plans with equal ones change the same.
    """

    root: Path
    views: tuple[ViewChange, ...]
    profiles: tuple[ProfileChange, ...]
    checksum: str
    requests: tuple[RequestChange, ...] = ()
    pushes: tuple[PushChange, ...] = ()

    def counts(self) -> dict[str, int]:
        """Views by action."""
        actions = [change.action for change in self.views]
        return {action: actions.count(action) for action in ("new", "changed", "dropped", "unchanged")}

    @property
    def empty(self) -> bool:
        """Whether applying it would change nothing."""
        return all(action == "unchanged" for action in self._actions())

    @property
    def dropped(self) -> tuple[str, ...]:
        """What it takes away that is served now, as people call it."""
        views = [f"feature view {change.view}" for change in self.views if change.action == "dropped"]
        requests = [f"request view {change.request_view}" for change in self.requests if change.action == "dropped"]
        profiles = [f"profile {change.profile}" for change in self.profiles if change.action == "dropped"]
        return (*views, *requests, *profiles)

    @property
    def unsafe(self) -> bool:
        """Whether it takes something away that is served now."""
        return bool(self.dropped)

    def _actions(self) -> list[Action]:
        views = [change.action for change in self.views]
        others = [*(change.action for change in self.requests), *(change.action for change in self.pushes)]
        return [*views, *others, *(change.action for change in self.profiles)]


@dataclass(frozen=True)
class Registered:
    """What Feast's registry says: the tags of our views and request views, members of profiles, push sources."""

    views: Mapping[str, Mapping[str, str]]
    profiles: Mapping[str, Mapping[str, list[str]]]
    requests: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pushes: frozenset[str] = frozenset()


def plan(root: Path) -> PlanResult:
    """Compare the specs of a project with what is registered. Reads only.

    Raises SpecError, also where an example in the specs fails, or LimnerError.
    """
    return plan_compiled(Project.at(root / "feature_repo"))[1]


def plan_compiled(project: Project) -> tuple[Compiled, PlanResult]:
    """As `plan`, and what the specs compile to."""
    compiled = compile_project(project)
    refuse_failing(compiled)
    return compiled, compare(project, compiled, registered(project))


def registered(project: Project) -> Registered:
    """Read Feast's registry; empty before the first apply."""
    from feast import FeatureStore

    from limner.feature_repo.quiet import hush

    hush()
    store = FeatureStore(repo_path=str(project.repo))
    tags = {view.name: dict(view.tags) for view in store.list_feature_views()}
    views = {name: each for name, each in tags.items() if FINGERPRINT_TAG in each}
    pushes = frozenset(each[EVENTS_TAG] for each in tags.values() if EVENTS_TAG in each)
    profiles = {
        service.name: {p.name: [f.name for f in p.features] for p in service.feature_view_projections}
        for service in store.list_feature_services()
    }
    requests = {view.name: dict(view.tags) for view in store.list_on_demand_feature_views() if REQUEST_TAG in view.tags}
    return Registered(views, profiles, requests, pushes)


def compare(project: Project, compiled: Compiled, known: Registered) -> PlanResult:
    """Pure but for a look at which histories exist."""
    views = [_view(project, compiled, known, name) for name in {*compiled.plans, *known.views}]
    wanted = profile_lists(compiled.specs)
    profiles = [_profile(wanted.get(name), known.profiles.get(name), name) for name in {*wanted, *known.profiles}]
    requests = request_changes(known.requests, compiled.request_tags)
    pushes = [_push(compiled, known, name) for name in {*compiled.pushes, *known.pushes}]
    checksum = _checksum(compiled, known)
    return PlanResult(
        project.root, tuple(sorted(views)), tuple(sorted(profiles)), checksum, requests, tuple(sorted(pushes))
    )


def _checksum(compiled: Compiled, known: Registered) -> str:
    """Costs, histories and the state of runs are no part of it: they change while nobody edits anything."""
    tags = {name: compiled.objects[f"view_{name}"].tags for name in compiled.plans}
    both = [
        [_identity_of(tags), _identity_of(compiled.request_tags), profile_lists(compiled.specs)],
        [_identity_of(known.views), _identity_of(known.requests), known.profiles],
    ]
    return hashlib.sha256(json.dumps(both, sort_keys=True).encode()).hexdigest()[:_CHECKSUM]


def _identity_of(views: Mapping[str, Mapping[str, str]]) -> dict[str, list[str | None]]:
    kept = (FINGERPRINT_TAG, CLOSURE_TAG, IDENTITY_TAG, DOCUMENT_TAG)
    return {name: [tags.get(tag) for tag in kept] for name, tags in views.items()}


def _view(project: Project, compiled: Compiled, known: Registered, name: str) -> ViewChange:
    if name not in compiled.plans:
        return ViewChange(name, "dropped", (Reason("its values are no longer served"),))
    wanted = compiled.plans[name].fingerprint
    if name not in known.views:
        notes = model_notes(compiled.specs, name, "[]", project.settings.data)
        return ViewChange(name, "new", (), None, wanted, notes)
    before, after = known.views[name], compiled.objects[f"view_{name}"].tags
    reasons = differences(before.get(CLOSURE_TAG, "[]"), after[CLOSURE_TAG], name, _declared(name))
    if before[FINGERPRINT_TAG] == wanted:
        return ViewChange(name, "changed" if reasons else "unchanged", reasons, None, wanted)
    if all(reason.effect != "values change" for reason in reasons):
        reasons += (_OTHER_FILES,)
    notes = model_notes(compiled.specs, name, before.get(CLOSURE_TAG, "[]"), project.settings.data)
    return ViewChange(name, "changed", reasons, _rebuild(project, name, wanted), wanted, notes)


def _push(compiled: Compiled, known: Registered, name: str) -> PushChange:
    if name not in compiled.pushes:
        return PushChange(name, "dropped")
    return PushChange(name, "unchanged" if name in known.pushes else "new")


def _declared(view: str) -> Identity:
    """The fingerprint of a closure with encoders as they are written: their files are not looked at."""

    def identity(closure: str) -> str:
        specs = from_closure(closure)
        encoders = {
            name: json.dumps(canonical(each, without=NOT_VALUES), default=str) for name, each in specs.encoders.items()
        }
        return fingerprint(specs, view, encoders)

    return identity


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

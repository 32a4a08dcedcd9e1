"""`limner rollback`: serve a view as it was before its last change, offline, online and in Feast's registry."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from feast import FeatureService, FeatureStore, FeatureView
from feast.infra.online_stores.helpers import get_online_store_from_config
from feast.infra.online_stores.online_store import OnlineStore

from limner.feature_repo.applied import serve_registered
from limner.feature_repo.compile import CLOSURE_TAG, FINGERPRINT_TAG, feast_entities, feast_view
from limner.feature_repo.online_sink import Sink
from limner.feature_repo.online_store import online_place
from limner.feature_repo.project import Project
from limner.feature_repo.quiet import hush
from limner.feature_repo.request_rollback import Planned, made_again, planned_again
from limner.language.closure import from_closure
from limner.language.errors import LimnerError
from limner.language.suggest import did_you_mean
from limner.workers.history.lock import view_lock
from limner.workers.history.manifest import History
from limner.workers.history.served import Pointer, pointers, switch
from limner.workers.history.version import Version, read_version
from limner.workers.online.loading import state_of
from limner.workers.online.opening import open_writer
from limner.workers.plan import ViewPlan, plan_view

_DECLARED_TAG = "limner.declared"


@dataclass(frozen=True)
class Step:
    """A view goes from one fingerprint to another, whose history covers (after, until] in µs UTC.

    `pending`: what it goes back from was applied, but not served yet. `frozen`: why it can be served but not continued.
    """

    view: str
    before: str
    after: str
    until: int
    pending: bool
    frozen: str = ""


@dataclass(frozen=True)
class _Back:
    step: Step
    plan: ViewPlan
    version: Version
    history: History


def rollback(root: Path, views: Sequence[str]) -> tuple[Step, ...]:
    """Go back one version with each of `views`, all in one step; doing it again goes forward again.

    A view whose applied definition is not served yet goes back to the one that is; that definition is withdrawn.
    LimnerError, with nothing changed, where there is nothing to go back to, its history is gone, or another view would
    be left with vectors of another encoder. A run that was killed half-way is finished by the same command.
    """
    project = Project.at(root / "feature_repo")
    store = _open(project)
    registered = {view.name: view for view in store.list_feature_views() if FINGERPRINT_TAG in view.tags}
    with ExitStack() as locks:
        for view in dict.fromkeys(views):
            if view not in registered:
                raise LimnerError(
                    f"there is no feature view {view!r} in the registry: {did_you_mean(view, registered)}"
                )
            locks.enter_context(view_lock(project.settings.data / "online" / view))
            locks.enter_context(view_lock(project.history(view)))
        known = pointers(project.settings.data / "history")
        backs = [_back(project, registered[view], known.get(view)) for view in dict.fromkeys(views)]
        _require_one_encoder(project, registered, known, backs)
        _require_no_dependents(registered, backs)
        _require_members(project, registered, backs)
        _require_features(store, backs)
        requests = planned_again(store, project, registered, {back.step.view: back.plan for back in backs})
        online = get_online_store_from_config(store.config.online_store)
        _values(project, store, online, registered, backs)
        _registry(project, store, online, registered, backs, requests)
    return tuple(back.step for back in backs)


def _open(project: Project) -> FeatureStore:
    hush()
    return FeatureStore(repo_path=str(project.repo))


def _back(project: Project, registered: FeatureView, pointer: Pointer | None) -> _Back:
    view, applied = registered.name, registered.tags[FINGERPRINT_TAG]
    if pointer is None:
        raise LimnerError(f"{view} has never been materialized: there is nothing to go back to")
    pending = pointer.fingerprint != applied
    if not pending and not pointer.earlier:
        raise LimnerError(f"{view} has only ever been served as it is now: there is nothing to go back to")
    target = pointer.fingerprint if pending else pointer.earlier[0]
    history = History(project.history(view) / target)
    coverage, version = history.coverage(), read_version(history.folder)
    again = "to have it again, change the spec back, `limner apply`, and materialize"
    if coverage is None:
        raise LimnerError(f"the history of {view} before its last change is gone ({history.folder}): {again}")
    if version is None:
        raise LimnerError(f"{history.folder} does not say which definition it is of: {again}")
    plan = plan_view(from_closure(version.closure), view, project.root, project.settings.data)
    frozen = ""
    if plan.fingerprint != target:
        frozen = "its encoder's files are others now: until they are put back, it can be served, not computed further"
        if {name: model.dim for name, model in plan.encoders.items()} != version.dims:
            raise LimnerError(
                f"{view}: the files of its encoder are others now, with vectors of another length: put them back first"
            )
        plan = replace(plan, fingerprint=target)
    return _Back(Step(view, applied, target, coverage[1], pending, frozen), plan, version, history)


def _require_one_encoder(
    project: Project, registered: Mapping[str, FeatureView], known: Mapping[str, Pointer], backs: Sequence[_Back]
) -> None:
    """Vectors of one encoder, made by two of its versions, would meet in a profile of two views."""
    going = {back.step.view: back.version for back in backs}
    for other in sorted(registered):
        stays = read_version(project.history(other) / known[other].fingerprint) if other in known else None
        serves = going.get(other, stays)
        for view, version in going.items():
            for name, fingerprint in version.encoders.items():
                if serves is not None and serves.encoders.get(name, fingerprint) != fingerprint:
                    if other in going:
                        raise LimnerError(
                            f"the versions before of {view} and {other} have vectors of two versions of encoder "
                            f"{name!r}, and have never been served together: change the spec back and `limner apply`"
                        )
                    both = " ".join(sorted({*going, other}))
                    raise LimnerError(
                        f"{view} would serve vectors of another version of encoder {name!r} than {other} does: "
                        f"go back with both: limner rollback {both}"
                    )


def _require_no_dependents(registered: Mapping[str, FeatureView], backs: Sequence[_Back]) -> None:
    """A view over views is made from its members as they are applied."""
    going = {back.step.view for back in backs}
    for other, view in sorted(registered.items()):
        documents = json.loads(view.tags[CLOSURE_TAG])
        members = {document["feature_view"] for document in documents if "feature_view" in document} - {other}
        if other not in going and members & going:
            raise LimnerError(
                f"{other} is made from {', '.join(sorted(members & going))} as it is now: go back with both: "
                f"limner rollback {' '.join(sorted({*going, other}))}"
            )


def _require_members(project: Project, registered: Mapping[str, FeatureView], backs: Sequence[_Back]) -> None:
    """A view over views goes on from the versions of its members that it was made from."""
    going = {back.step.view: back.step.after for back in backs}
    applied = {name: view.tags[FINGERPRINT_TAG] for name, view in registered.items()}
    for back in backs:
        specs, view = back.plan.specs, back.step.view
        for member in sorted(set(specs.views) - {view}):
            wanted = plan_view(specs, member, project.root, project.settings.data).fingerprint
            if wanted != (applied | going).get(member) and not back.step.frozen:
                both = " ".join(sorted({*going, member}))
                remedy = "change the specs back" if member in going else f"go back with both: limner rollback {both}"
                raise LimnerError(f"{view} was made from another version of {member} then: {remedy}")


def _require_features(store: FeatureStore, backs: Sequence[_Back]) -> None:
    """A request view reads features by name."""
    there = {back.step.view: {output.name for output in back.plan.outputs} for back in backs}
    for request in store.list_on_demand_feature_views():
        for projection in request.source_feature_view_projections.values():
            for feature in projection.features:
                if projection.name in there and feature.name not in there[projection.name]:
                    raise LimnerError(
                        f"the request view {request.name} reads {projection.name}.{feature.name}, which the version "
                        "before has not got: remove it from the specs and `limner apply` first"
                    )


def _values(
    project: Project,
    store: FeatureStore,
    online: OnlineStore,
    registered: Mapping[str, FeatureView],
    backs: Sequence[_Back],
) -> None:
    """Online values of the earlier histories, and then both pointers in one step."""
    to = {back.step.view: back.step.after for back in backs}
    sinks = [
        (back, Sink(store.config, online, registered[back.step.view], back.plan, state_of(back.history)))
        for back in backs
        if back.plan.view.online
    ]
    waiting = [each for back, sink in sinks if (each := sink.prepare(back.history, _ignore)) is not None]

    def flip() -> None:
        switch(project.settings.data / "history", to)

    if waiting:
        with open_writer(online_place(store.config)) as writer:
            writer.switch(waiting, also=flip)
        return
    flip()
    for back, sink in sinks:
        sink.write(back.history, iter(()), _ignore)


def _registry(
    project: Project,
    store: FeatureStore,
    online: OnlineStore,
    registered: Mapping[str, FeatureView],
    backs: Sequence[_Back],
    requests: list[Planned],
) -> None:
    """Register what is served, so that runs go on with it; profiles keep the features that there are."""
    views = {back.step.view: feast_view(back.plan, project) for back in backs}
    for name, view in views.items():
        view.state = registered[name].state
        view.materialization_intervals = registered[name].materialization_intervals
    entities = {
        entity.name: entity for back in backs for entity in feast_entities(back.plan.specs, back.plan.view.entity)
    }
    found = [_service(service, registered, views) for service in store.list_feature_services()]
    again = made_again(requests, {**registered, **views})
    services = [service for service in found if service is not None]
    store.apply([*entities.values(), *views.values(), *again, *services])
    serve_registered(store.registry, store.config, online)


def _service(
    service: FeatureService, before: Mapping[str, FeatureView], views: Mapping[str, FeatureView]
) -> FeatureService | None:
    """The profile over the views as they are again; None where it has none of them.

    It remembers which features it was declared with: those that the earlier version lacks come back with the later one.
    """
    if not any(projection.name in views for projection in service.feature_view_projections):
        return None
    declared: dict[str, list[str]] = json.loads(service.tags.get(_DECLARED_TAG, "{}"))
    for position, projection in enumerate(service.feature_view_projections):
        name = projection.name
        if name in views:
            asked = declared.setdefault(name, [feature.name for feature in projection.features])
            whole = set(asked) >= {feature.name for feature in before[name].features}
            there = [feature.name for feature in views[name].features]
            kept = there if whole else [feature for feature in asked if feature in there]
            service.feature_view_projections[position] = views[name][kept or there].projection
    service.tags[_DECLARED_TAG] = json.dumps(declared)
    return service


def _ignore(_rows: int) -> None:
    """Nobody follows."""

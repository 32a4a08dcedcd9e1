"""What was applied: plans and profiles read from Feast's registry, whatever the files of the project say meanwhile."""

from collections.abc import Mapping

from feast import FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.registry.base_registry import BaseRegistry

from limner.feature_repo.compile import CLOSURE_TAG, FINGERPRINT_TAG, VIEW_TAG
from limner.feature_repo.feast_types import feast_type
from limner.feature_repo.on_demand import program_of
from limner.feature_repo.online_store import LimnerOnlineStore, online_place
from limner.feature_repo.project import Project
from limner.language.closure import from_closure
from limner.language.errors import LimnerError
from limner.language.repo import Specs
from limner.workers.online.loading import packed_columns
from limner.workers.online.opening import open_writer
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.request.program import Program

Members = dict[str, dict[str, list[str]]]  # profile -> view -> features


def applied_plan(view: FeatureView, project: Project) -> ViewPlan:
    """Plan a view as it was applied.

    LimnerError if it is not declared in specs, or if its encoder or its columns have changed since `feast apply`.
    """
    if CLOSURE_TAG not in view.tags:
        raise LimnerError(
            f"view {view.name!r} is not declared in specs, so Limner's engine cannot compute it: declare it there, or "
            "keep it in a repository with another batch_engine"
        )
    plan = plan_view(from_closure(view.tags[CLOSURE_TAG]), view.name, project.root, project.settings.data)
    found = {column.name: feast_type(column) for column in packed_columns(plan)}
    changed = [field.name for field in view.features if found.get(field.name) != field.dtype]
    if plan.fingerprint != view.tags[FINGERPRINT_TAG] or changed:
        what = f"feature {changed[0]!r} now has another type" if changed else "its encoder's files are others"
        raise LimnerError(f"view {view.name!r} is not what was applied ({what}): run `feast apply`, then this again")
    return plan


def served_programs(registry: BaseRegistry, project: str) -> list[Program]:
    """The request views in the registry."""
    found = (program_of(view) for view in registry.list_on_demand_feature_views(project, skip_udf=True))
    return [program for program in found if program is not None]


def served_profiles(registry: BaseRegistry, project: str) -> Members:
    """The profiles in the registry, as far as they are online."""
    online = {view.name for view in registry.list_feature_views(project) if _is_online(view)}
    online |= {program.name for program in served_programs(registry, project)}
    members: Members = {}
    for service in registry.list_feature_services(project):
        chosen = {
            projection.name: [feature.name for feature in projection.features]
            for projection in service.feature_view_projections
            if projection.name in online
        }
        if chosen:
            members[service.name] = chosen
    return members


def serve_registered(registry: BaseRegistry, config: RepoConfig, store: OnlineStore) -> None:
    """Make the profiles and request views in the registry those that a store of ours serves."""
    if isinstance(store, LimnerOnlineStore):
        with open_writer(online_place(config)) as writer:
            writer.set_profiles(served_profiles(registry, config.project), served_programs(registry, config.project))


def served_online(members: Mapping[str, Mapping[str, list[str]]], specs: Specs) -> Members:
    """`members` without the views that are not online."""
    online = {name for name, view in specs.views.items() if view.online} | set(specs.requests)
    kept = {
        profile: {view: features for view, features in views.items() if view in online}
        for profile, views in members.items()
    }
    return {profile: views for profile, views in kept.items() if views}


def _is_online(view: FeatureView) -> bool:
    if CLOSURE_TAG not in view.tags:
        return bool(view.online)
    return from_closure(view.tags[CLOSURE_TAG]).views[view.tags[VIEW_TAG]].online

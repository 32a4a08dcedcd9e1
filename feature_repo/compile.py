"""Specs to Feast objects: entities, a plain FeatureView over the history of each view, a FeatureService a profile."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureView, Field, FileSource, OnDemandFeatureView

from limner.feature_repo.errors import facing_feast
from limner.feature_repo.events_view import EVENTS_TAG, push_views
from limner.feature_repo.feast_types import KEY_TYPES, feast_type, field_tags
from limner.feature_repo.on_demand import on_demand_view
from limner.feature_repo.project import Project
from limner.language.closure import closure
from limner.language.columns import check
from limner.language.outputs import output_names, profile_members
from limner.language.repo import Specs, load
from limner.workers.models.pins import with_pins
from limner.workers.online.loading import packed_columns, packed_keys
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.request.plan import plan_request
from limner.workers.request.program import Program
from limner.workers.sources.describe import describe_all

VIEW_TAG = "limner.view"
FINGERPRINT_TAG = "limner.fingerprint"
CLOSURE_TAG = "limner.closure"
TIMESTAMP = "event_timestamp"
_last: dict[Path, "Compiled"] = {}
FeastObject = Entity | FeatureView | OnDemandFeatureView | FeatureService


@dataclass(frozen=True)
class Compiled:
    """The specs of a project, a plan for each view, a program for each request view, and what Feast is to register."""

    specs: Specs
    plans: Mapping[str, ViewPlan]
    programs: Mapping[str, Program]
    objects: Mapping[str, FeastObject]

    @property
    def pushes(self) -> list[str]:
        """The sources whose events Feast can push."""
        return sorted(each.tags[EVENTS_TAG] for each in self.objects.values() if EVENTS_TAG in each.tags)

    @property
    def request_tags(self) -> dict[str, dict[str, str]]:
        """What the registry is to keep of each request view."""
        return {name: self.objects[f"request_{name}"].tags for name in self.programs}


def objects(root: Path) -> dict[str, FeastObject]:
    """Return the Feast objects of the project at `root`, for definitions.py.

    Problems in the specs end `feast apply` with their text alone and exit code 1.
    """
    with facing_feast():
        return dict(compile_project(Project.at(root / "feature_repo")).objects)


def compile_project(project: Project) -> Compiled:
    """Load and check all specs against their sources, and compile them. Raises SpecError or LimnerError."""
    specs = load(project.settings.specs)
    raw = describe_all(specs, project.root)
    check(specs, raw)
    specs = with_pins(specs, project.root, project.settings.data)
    plans = {name: plan_view(specs, name, project.root, project.settings.data) for name in sorted(specs.views)}
    views = {name: feast_view(plan, project) for name, plan in plans.items()}
    entities = [entity for name in sorted(specs.entities) for entity in feast_entities(specs, name)]
    programs = {name: plan_request(specs, name, plans) for name in sorted(specs.requests)}
    requests = {name: _request_view(specs, program, views) for name, program in programs.items()}
    services = {name: _service(specs, {**views, **requests}, name) for name in sorted(specs.profiles)}
    found: dict[str, FeastObject] = {f"entity_{entity.name}": entity for entity in entities}
    found |= {f"view_{name}": view for name, view in views.items()}  # Feast takes their sources from them
    found |= {f"push_{name}": view for name, view in push_views(specs, project).items()}
    found |= {f"request_{name}": view for name, view in requests.items()}
    found |= {f"profile_{name}": service for name, service in services.items()}
    _last[project.repo] = compiled = Compiled(specs, plans, programs, found)
    return compiled


def last_compiled(project: Project) -> Compiled | None:
    """What this process compiled last for a project: `feast apply` compiles before it calls the engine."""
    return _last.get(project.repo)


def feast_entities(specs: Specs, name: str) -> list[Entity]:
    """A Feast entity has one join key: an entity of several becomes one Feast entity a key, `name__key`."""
    entity = specs.entities[name]
    single = len(entity.join_keys) == 1
    return [
        Entity(
            name=name if single else f"{name}__{key}",
            join_keys=[key],
            value_type=KEY_TYPES[kind][0],
            description=entity.description,
        )
        for key, kind in entity.join_keys.items()
    ]


def profile_lists(specs: Specs) -> dict[str, dict[str, list[str]]]:
    """Profile -> view -> feature names."""
    return {name: {view: [*chosen] for view, chosen in profile_members(specs, name).items()} for name in specs.profiles}


def feast_view(plan: ViewPlan, project: Project) -> FeatureView:
    """What Feast is to register for one view."""
    spec = plan.view
    history = project.history(plan.name)
    history.mkdir(parents=True, exist_ok=True)
    descriptions = {output.name: output.feature.description for output in plan.outputs}
    written = output_names(spec)  # people meet features in the order of the spec
    keys = [Field(name=name, dtype=KEY_TYPES[kind][1]) for name, kind in packed_keys(plan)]
    features = [
        Field(
            name=column.name,
            dtype=feast_type(column),
            description=descriptions[column.name],
            tags=field_tags(column),
        )
        for column in sorted(packed_columns(plan), key=lambda column: written.index(column.name))
    ]
    source = FileSource(
        name=f"{plan.name}_history",
        # Relative to the folder of feature_store.yaml: a copy of the project reads and drops its own data.
        path=os.path.relpath(history, project.repo),
        timestamp_field=TIMESTAMP,
        description=f"Feature history of {plan.name}: a row at each instant at which a value changes.",
        tags={VIEW_TAG: plan.name},
    )
    return FeatureView(
        name=plan.name,
        entities=feast_entities(plan.specs, spec.entity),
        ttl=timedelta(0),
        schema=[*keys, *features],
        source=source,
        # Feast materializes online views only. `online: false` is the engine's business: it writes no online values.
        online=True,
        description=spec.description,
        owner=spec.owner,
        tags=spec.tags
        | {
            VIEW_TAG: plan.name,
            FINGERPRINT_TAG: plan.fingerprint,
            CLOSURE_TAG: closure(plan.specs, plan.name),
        },
    )


def _request_view(specs: Specs, program: Program, views: Mapping[str, FeatureView]) -> OnDemandFeatureView:
    spec = specs.requests[program.name]
    return on_demand_view(spec, program, views, feast_entities(specs, spec.entity))


def _service(specs: Specs, views: Mapping[str, FeatureView | OnDemandFeatureView], name: str) -> FeatureService:
    features = []
    for member, chosen in profile_members(specs, name).items():
        view = views[member]
        whole = len(chosen) == len(view.features)
        features.append(view if whole else view[[*chosen]])
    return FeatureService(name=name, features=features, description=specs.profiles[name].description)

"""From specs to Feast objects: what is registered is what is declared, relative, typed and complete."""

from datetime import timedelta
from pathlib import Path

import click
import pytest
from feast import Entity, FeatureService, FeatureView, FileSource
from feast.types import Array, Bool, Float64, Int64, String, UnixTimestamp
from feast.value_type import ValueType

from limner.feature_repo.applied import applied_plan
from limner.feature_repo.compile import CLOSURE_TAG, FINGERPRINT_TAG, compile_project, objects, profile_lists
from limner.feature_repo.project import Project
from limner.language.errors import LimnerError
from tests.integration.feast_project import SPECS, events, make_project

MORE = """
---
source: sales
path: events/*.parquet
event_timestamp: at
---
entity: visit
join_keys: {kind: string, user_id: int}
---
feature_view: visits
description: How often a user bought a kind.
entity: visit
source: sales
every: event
online: false
owner: shop@example.org
tags: {team: shop}
features:
  bought: {count: "*", over: [1d, lifetime], description: Times bought.}
---
profile: some
description: A choice.
features: [activity: [spend, newest], visits: [bought_1d]]
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.at(make_project(tmp_path, events(50), specs=SPECS + MORE))


def test_a_view_is_a_plain_feature_view_over_its_history(project: Project) -> None:
    """Types, keys, no time to live, its source relative to the repository, and its identity in tags."""
    view = compile_project(project).objects["view_activity"]
    assert type(view) is FeatureView
    assert {field.name: field.dtype for field in view.features} == {
        "orders_7d": Int64,
        "spend_7d": Float64,
        "favourite": Array(String),
        "newest": String,
        "last_order": UnixTimestamp,
        "dear": Bool,
    }
    assert [(column.name, column.dtype) for column in view.entity_columns] == [("user_id", Int64)]
    assert view.ttl == timedelta(0)
    assert isinstance(view.batch_source, FileSource)
    assert view.batch_source.path == "../data/history/activity"
    assert len(view.tags[FINGERPRINT_TAG]) == 64
    assert "events" in view.tags[CLOSURE_TAG]


def test_an_entity_of_two_keys_is_two_feast_entities(project: Project) -> None:
    """Feast's entities have one join key each."""
    found = [each for each in compile_project(project).objects.values() if isinstance(each, Entity)]
    assert [(each.name, each.join_key, each.value_type) for each in found] == [
        ("user", "user_id", ValueType.INT64),
        ("visit__kind", "kind", ValueType.STRING),
        ("visit__user_id", "user_id", ValueType.INT64),
    ]


def test_descriptions_owners_and_tags_travel(project: Project) -> None:
    """What a person wrote for other persons is in the registry; `online: false` does not keep Feast from running it."""
    view = compile_project(project).objects["view_visits"]
    assert isinstance(view, FeatureView)
    assert (view.description, view.owner, view.tags["team"]) == (
        "How often a user bought a kind.",
        "shop@example.org",
        "shop",
    )
    assert [field.description for field in view.features] == ["Times bought."] * 2
    assert view.online


def test_a_profile_is_a_feature_service(project: Project) -> None:
    """Whole views, chosen features, and a feature of several windows by its short name."""
    compiled = compile_project(project)
    service = compiled.objects["profile_some"]
    assert isinstance(service, FeatureService)
    chosen = {p.name: [feature.name for feature in p.features] for p in service.feature_view_projections}
    assert chosen == {"activity": ["spend_7d", "newest"], "visits": ["bought_1d"]}
    assert profile_lists(compiled.specs)["some"] == chosen


def test_what_is_applied_is_what_runs(project: Project) -> None:
    """The plan comes back from the tags alone, whatever the spec files say by then."""
    compiled = compile_project(project)
    view = compiled.objects["view_activity"]
    assert isinstance(view, FeatureView)
    (project.settings.specs / "shop.yaml").write_text("nonsense: [")
    plan = applied_plan(view, project)
    assert plan.fingerprint == compiled.plans["activity"].fingerprint
    assert plan.outputs == compiled.plans["activity"].outputs


def test_columns_that_changed_since_apply_are_refused(project: Project) -> None:
    """A source whose column became another type needs a new apply, not values of two types."""
    import pyarrow.parquet as pq

    view = compile_project(project).objects["view_activity"]
    assert isinstance(view, FeatureView)
    path = project.root / "events" / "a.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, "amount", table.column("amount").cast("int64", safe=False)), path)
    with pytest.raises(LimnerError, match="feature 'spend_7d' now has another type"):
        applied_plan(view, project)


def test_a_view_of_another_origin_is_refused_by_the_engine(project: Project) -> None:
    """The engine computes specs, and says so."""
    with pytest.raises(LimnerError, match="not declared in specs"):
        applied_plan(FeatureView(name="other", entities=[], source=FileSource(path="x.parquet")), project)


def test_problems_of_specs_reach_feast_as_one_message(project: Project) -> None:
    """Feast's command line prints a ClickException without a traceback, and ends with 1."""
    (project.settings.specs / "shop.yaml").write_text(SPECS.replace("max: big", "max: bigg"))
    with pytest.raises(LimnerError, match="big") as caught:
        objects(project.root)
    assert isinstance(caught.value, click.ClickException)
    assert caught.value.exit_code == 1
    assert "shop.yaml:" in caught.value.format_message()

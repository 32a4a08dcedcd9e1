"""Which sources are push sources, and what Feast is told of them."""

from pathlib import Path

import pytest

from limner.feature_repo.events_view import push_views
from limner.feature_repo.project import Project
from limner.language.errors import LimnerError
from limner.language.repo import load_texts
from limner.workers.settings import EngineSettings

SPECS = """
entity: user
join_keys: {user_id: int}
---
source: NAME
path: data/taps
format: jsonl
event_timestamp: at
rename: {at: Tapped}
created_timestamp: received
stream: {id: tap, lateness: 1d}
---
source: other
path: data/one.jsonl
format: jsonl
event_timestamp: at
created_timestamp: received
stream: {id: tap, lateness: 1d}
---
feature_view: now
entity: user
source: NAME
every: event
features: {taps: {count: "*"}}
---
feature_view: also
entity: user
source: other
every: event
features: {taps: {count: "*"}}
---
feature_view: daily
entity: user
source: NAME
every: EVERY
features: {taps: {count: "*"}}
"""


def project(root: Path) -> Project:
    """Of a folder with events."""
    (root / "feature_repo").mkdir()
    (root / "data" / "taps").mkdir(parents=True)
    return Project(root, root / "feature_repo", EngineSettings.from_mapping({}, root / "feature_repo"))


def test_a_source_whose_events_some_view_follows_is_a_push_source(tmp_path: Path) -> None:
    """Not one whose events cannot be written; the registry knows its receiver without features."""
    specs = load_texts({"x.yaml": SPECS.replace("NAME", "taps").replace("EVERY", "1d")})
    here = project(tmp_path)
    ((name, view),) = push_views(specs, here).items()
    assert (name, view.name, view.stream_source.name) == ("taps", "taps-events", "taps")
    assert view.batch_source.path == "../data/taps"
    assert view.batch_source.timestamp_field == "Tapped"
    assert not view.to_proto().spec.features
    grid = load_texts({"x.yaml": SPECS.replace("NAME", "taps").replace("event\n", "1d\n").replace("EVERY", "1d")})
    assert not push_views(grid, here)


def test_a_source_is_not_called_as_feast_calls_a_history(tmp_path: Path) -> None:
    specs = load_texts({"x.yaml": SPECS.replace("NAME", "daily_history").replace("EVERY", "1d")})
    with pytest.raises(LimnerError, match=r"'daily_history': its events are pushed by this name.*view 'daily'"):
        push_views(specs, project(tmp_path))

"""How Feast is told that events of a source can be pushed: a PushSource, and a feature view that stands for the events.

`store.push` writes what is pushed into the feature views of the push source, and wants a column for each of their
features. Events have the columns of their source; what features they change is computed. So no view of ours can be the
receiver: it is one without features, which Feast hands every column.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from feast import FeatureView, Field, FileSource, PushSource, RepoConfig
from feast.types import String

from limner.feature_repo.project import Project
from limner.language.errors import LimnerError
from limner.language.models import Source
from limner.language.repo import Specs, load
from limner.workers.sources.describe import describe
from limner.workers.stream.choose import prevented
from limner.workers.stream.intake import log_folder

EVENTS_TAG = "limner.events"  # of the receiver and its source: whose events they are
PROVIDER = "limner.feature_repo.provider.LimnerProvider"
_SUFFIX = "-events"  # no spec has such a name


class EventsView(FeatureView):
    """A feature view that is registered without features.

    Feast refuses to apply one (`RegistryInferenceFailure`), and reads one without complaint.
    """

    def to_proto(self) -> Any:
        """As the registry keeps it."""
        proto = super().to_proto()
        del proto.spec.features[:]
        return proto


def event_columns(config: RepoConfig, name: str) -> list[str]:
    """The columns of a source's files that an event brings. LimnerError where the source is no more."""
    project = Project.configured(config)
    source = load(project.settings.specs).sources.get(name)
    if source is None:
        raise LimnerError(f"there is no source {name!r} any more: run `limner apply`")
    known = [column for column in describe(source, project.root) if column != source.created_timestamp]
    return [source.rename.get(column, column) for column in known]


def push_views(specs: Specs, project: Project) -> Mapping[str, FeatureView]:
    """The receivers by the name of their source. LimnerError where Feast would know two sources by one name."""
    found = {}
    for name in _followed(specs, project):
        history = name.removesuffix("_history")
        if history != name and history in specs.views:
            raise LimnerError(
                f"source {name!r}: its events are pushed by this name, by which Feast knows the history of view "
                f"{history!r}: rename one of them"
            )
        found[name] = _receiver(specs.sources[name], project)
    return found


def _followed(specs: Specs, project: Project) -> Iterator[str]:
    """The sources whose events some view follows, sorted."""
    for name, source in sorted(specs.sources.items()):
        views = [view for view in specs.views.values() if name in view.reads]
        if source.stream is not None and not all(prevented(view, specs.sources) for view in views):
            with suppress(LimnerError):  # `limner stream` says that its events cannot be written
                log_folder(source, project.root)
                yield name


def _receiver(source: Source, project: Project) -> FeatureView:
    assert source.stream is not None
    assert source.event_timestamp is not None
    written = source.rename.get
    log = FileSource(
        name=f"{source.source}{_SUFFIX}",
        path=os.path.relpath(log_folder(source, project.root), project.repo),
        timestamp_field=written(source.event_timestamp, source.event_timestamp),
        description=f"Events of {source.source}: where they are written once they are taken.",
        tags={EVENTS_TAG: source.source},
    )
    return EventsView(
        name=f"{source.source}{_SUFFIX}",
        entities=[],
        ttl=timedelta(0),
        schema=[Field(name=written(source.stream.id, source.stream.id), dtype=String)],
        source=PushSource(
            name=source.source,
            batch_source=log,
            description=source.description or f"Events of {source.source}, for the views that follow them.",
            tags={EVENTS_TAG: source.source},
        ),
        online=False,
        description=f"Receives events of {source.source} that are pushed; it has no features of its own.",
        tags={EVENTS_TAG: source.source},
    )

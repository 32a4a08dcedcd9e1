"""Feast's online store over the packed SQLite file: a row a view and entity, decoded as far as it is asked for."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from feast import Entity, FeatureService, FeatureView, RepoConfig, utils
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.registry.base_registry import BaseRegistry
from feast.online_response import OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import GetOnlineFeaturesResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel

from limner.feature_repo.compile import FINGERPRINT_TAG
from limner.feature_repo.errors import FeastFacingError, facing_feast
from limner.feature_repo.events_view import EVENTS_TAG, PROVIDER
from limner.feature_repo.feast_types import columns_of, keys_of
from limner.feature_repo.on_demand_online import Asked
from limner.feature_repo.quiet import hush
from limner.feature_repo.values import Row, batch_of, decoder, encoded_entities, encoded_keys
from limner.feature_repo.wire import append, feature_vectors
from limner.workers.online.database import Database, Generation, Snapshot, Writer
from limner.workers.online.locate import DEFAULT_PATH, DEFAULT_URL, REDIS_TYPE, STORE_TYPE, Place, RedisPlace
from limner.workers.online.opening import open_database, open_writer
from limner.workers.online.pack import instant
from limner.workers.online.schema import ViewSchema
from limner.workers.request.texts import TextEncoders

hush()  # Feast imports this module before it looks at the registry's settings
_ANSWERING: ContextVar[tuple[Place, Snapshot] | None] = ContextVar("limner_answering", default=None)
T = TypeVar("T")
Answer = tuple[datetime | None, dict[str, Value] | None]


class LimnerOnlineStoreConfig(FeastConfigBaseModel):
    """`online_store:` of feature_store.yaml. `path` is relative to that file's folder."""

    type: str = STORE_TYPE
    path: str = DEFAULT_PATH


class LimnerRedisOnlineStoreConfig(FeastConfigBaseModel):
    """`online_store:` of feature_store.yaml. Keys begin with `prefix`; by default with `limner:` and the project."""

    type: str = REDIS_TYPE
    url: str = DEFAULT_URL
    prefix: str | None = None


class LimnerOnlineStore(OnlineStore):
    """The embedded online store. An older event timestamp never replaces a newer one."""

    def __init__(self) -> None:
        self._databases: dict[Place, Database] = {}
        self._encoders: dict[Place, TextEncoders] = {}

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Answer]:
        """Event timestamp and features of each entity, in order; (None, None) for one that is not there."""
        place = online_place(config)
        if not self._database(place).exists():
            return [(None, None)] * len(entity_keys)

        def answer(snapshot: Snapshot) -> list[Answer]:
            generation = snapshot.served().get(table.name)
            if generation is None:
                return [(None, None)] * len(entity_keys)
            keys = encoded_keys(generation.schema, entity_keys)
            found = snapshot.fetch(generation, keys)
            return _answers(generation.schema, requested_features, [found.get(key) for key in keys])

        with facing_feast():
            return self._read(place, answer)

    def _read(self, place: Place, answer: Callable[[Snapshot], T]) -> T:
        """What `answer` makes of one state: the one of the answer under way, so that all of it is of one moment."""
        answering = _ANSWERING.get()
        if answering is not None and answering[0] == place:
            return answer(answering[1])

        def within(snapshot: Snapshot) -> T:
            token = _ANSWERING.set((place, snapshot))
            try:
                return answer(snapshot)
            finally:
                _ANSWERING.reset(token)

        return self._database(place).read(within)

    def _read_features_per_fv(
        self,
        config: RepoConfig,
        grouped_refs: list[tuple[FeatureView, list[str]]],
        join_key_values: dict[str, list[Value]],
        entity_name_to_join_key_map: dict[str, str],
        online_features_response: GetOnlineFeaturesResponse,
        full_feature_names: bool,
        include_feature_view_version_metadata: bool,
    ) -> None:
        """What Feast does view by view and value by value, a column at a time and of one moment."""
        asked = [
            (view, features, utils._get_unique_entities(view, join_key_values, entity_name_to_join_key_map))
            for view, features in grouped_refs
        ]

        def answer(snapshot: Snapshot) -> list[list[Any]]:
            found = []
            for view, features, (entities, places, count) in asked:
                generation = snapshot.served().get(view.name)
                if generation is None:
                    found.append(feature_vectors(None, features, [None] * count))
                else:
                    rows = _placed(snapshot, generation, entities, places, count)
                    found.append(feature_vectors(generation.schema, features, rows))
            return found

        place = online_place(config)
        if self._database(place).exists():
            with facing_feast():
                found = self._read(place, answer)
        else:
            found = [feature_vectors(None, features, [None] * count) for _, features, (_, _, count) in asked]
        names, versions = full_feature_names, include_feature_view_version_metadata
        for (view, features, _), vectors in zip(asked, found, strict=True):
            append(online_features_response, view, features, vectors, full_names=names, versions=versions)

    def get_online_features(
        self,
        config: RepoConfig,
        features: list[str] | FeatureService,
        entity_rows: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        include_feature_view_version_metadata: bool = False,
    ) -> OnlineResponse:
        """Stored features as Feast reads them, and those of request views computed from one state of the store."""
        place = online_place(config)
        given = (registry, project, full_feature_names, include_feature_view_version_metadata)
        if not self._database(place).exists():
            return super().get_online_features(config, features, entity_rows, *given)
        stock = super().get_online_features
        if place not in self._encoders:
            self._encoders[place] = TextEncoders(config.repo_path and Path(config.repo_path))
        encode = self._encoders[place]

        def answer(snapshot: Snapshot) -> OnlineResponse:
            asked = Asked(_references(features, registry, project), snapshot.programs(), entity_rows)
            if not asked.computed:
                return stock(config, features, entity_rows, *given)
            asked.check_names(full_names=full_feature_names)
            response = OnlineResponse(GetOnlineFeaturesResponse())
            if asked.stored:
                response = stock(config, asked.stored, asked.columns, *given)
            asked.add_to(response.proto, snapshot, encode, full_names=full_feature_names)
            return response

        with facing_feast():
            return self._read(place, answer)

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows that were pushed, into what is served; a run of the engine takes a shorter way."""
        if EVENTS_TAG in table.tags:
            source = table.tags[EVENTS_TAG]
            raise FeastFacingError(
                f"no event of {source!r} can be pushed: in feature_store.yaml write provider: {PROVIDER}"
            )
        with facing_feast(), open_writer(online_place(config)) as writer:
            generation = _generation(writer, table)
            writer.update(generation, [batch_of(generation.schema, data)] if data else [], progress=progress)

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Drop the values of views that are no more. Tables of new views are made when they are first written."""
        self.teardown(config, tables_to_delete, entities_to_delete)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Drop the values of some views."""
        place = online_place(config)
        if tables and self._database(place).exists():
            with facing_feast(), open_writer(place) as writer:
                writer.drop([table.name for table in tables])

    def _database(self, place: Place) -> Database:
        if place not in self._databases:
            self._databases[place] = open_database(place)
        return self._databases[place]


class LimnerRedisOnlineStore(LimnerOnlineStore):
    """The same packed values in a Redis or Valkey server."""


def online_place(config: RepoConfig) -> Place:
    """Where a Feast configuration keeps the values of a store of ours."""
    settings = config.online_store
    if isinstance(settings, LimnerRedisOnlineStoreConfig):
        return RedisPlace.of(settings.url, settings.prefix, config.project)
    return (Path(config.repo_path or ".") / str(settings.path)).absolute()


def _placed(
    snapshot: Snapshot, generation: Generation, entities: Sequence[Mapping[str, Value]], places: Any, count: int
) -> list[Any]:
    """The rows of an answer: each entity's in the places where it was asked for, None where it is not known."""
    keys = encoded_entities(generation.schema, entities)
    found = snapshot.fetch(generation, keys)
    rows: list[Any] = [None] * count
    for key, where in zip(keys, places, strict=True):
        for place in where:
            rows[place] = found.get(key)
    return rows


def _answers(
    schema: ViewSchema, features: Sequence[str] | None, rows: Sequence[tuple[int, bytes] | None]
) -> list[Answer]:
    """Rows of a view as Feast's values.

    A feature that is declared but not yet computed is left out: Feast says NOT_FOUND, and the rest is served.
    """
    names = features or [column.name for column in schema.columns]
    decode = decoder(schema, [name for name in names if name in schema.layout.index])
    answers: list[Answer] = []
    for row in rows:
        if row is None:
            answers.append((None, None))
        else:
            schema.layout.check(row[1])
            answers.append((instant(row[0]), decode(row[1])))
    return answers


def _references(features: list[str] | FeatureService, registry: BaseRegistry, project: str) -> list[str]:
    """`view:feature` for each feature that is asked for."""
    if not isinstance(features, FeatureService):
        return features
    service = registry.get_feature_service(features.name, project, allow_cache=True)
    return [
        f"{projection.name_to_use()}:{feature.name}"  # type: ignore[no-untyped-call]
        for projection in service.feature_view_projections
        for feature in projection.features
    ]


def _generation(writer: Writer, view: FeatureView) -> Generation:
    """The generation that pushed rows of a view belong to."""
    served = writer.served(view.name)
    names = {field.name for field in view.features}
    if served is not None and {column.name for column in served.schema.columns} == names:
        return served
    if FINGERPRINT_TAG in view.tags:
        raise FeastFacingError(
            f"view {view.name!r} has not been computed as it is declared: run `feast materialize` first"
        )
    columns, keys = columns_of(view), keys_of(view)
    identity = hashlib.sha256(repr((keys, columns)).encode()).hexdigest()
    return writer.create(ViewSchema(view.name, identity, keys, columns))

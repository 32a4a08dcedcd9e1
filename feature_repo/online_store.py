"""Feast's online store over the packed SQLite file: a row a view and entity, decoded as far as it is asked for."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.registry.base_registry import BaseRegistry
from feast.online_response import OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import GetOnlineFeaturesResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel

from limner.feature_repo.compile import FINGERPRINT_TAG
from limner.feature_repo.errors import FeastFacingError, facing_feast
from limner.feature_repo.feast_types import columns_of, keys_of
from limner.feature_repo.on_demand_online import Asked
from limner.feature_repo.quiet import hush
from limner.feature_repo.values import Row, batch_of, decoder, encoded_keys
from limner.workers.online.locate import DEFAULT_PATH, STORE_TYPE
from limner.workers.online.pack import instant
from limner.workers.online.schema import ViewSchema
from limner.workers.online.sqlite import Database, Generation, Snapshot
from limner.workers.online.writer import OnlineWriter
from limner.workers.request.texts import TextEncoders

hush()  # Feast imports this module before it looks at the registry's settings
_ANSWERING: ContextVar[tuple[Path, Snapshot] | None] = ContextVar("limner_answering", default=None)
Answer = tuple[datetime | None, dict[str, Value] | None]


class LimnerOnlineStoreConfig(FeastConfigBaseModel):
    """`online_store:` of feature_store.yaml. `path` is relative to that file's folder."""

    type: str = STORE_TYPE
    path: str = DEFAULT_PATH


class LimnerOnlineStore(OnlineStore):
    """The embedded online store. An older event timestamp never replaces a newer one."""

    def __init__(self) -> None:
        self._databases: dict[Path, Database] = {}
        self._encoders: dict[Path, TextEncoders] = {}

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Answer]:
        """Event timestamp and features of each entity, in order; (None, None) for one that is not there."""
        path = online_path(config)
        if not path.exists():
            return [(None, None)] * len(entity_keys)
        with facing_feast(), self._reading(path) as snapshot:
            generation = snapshot.served().get(table.name)
            if generation is None:
                return [(None, None)] * len(entity_keys)
            schema = generation.schema
            names = requested_features or [column.name for column in schema.columns]
            keys = encoded_keys(schema, entity_keys)
            found = snapshot.fetch(generation, keys)
        # A feature that is declared but not yet computed is left out: Feast says NOT_FOUND, and the rest is served.
        decode = decoder(schema, [name for name in names if name in schema.layout.index])
        answers: list[Answer] = []
        for key in keys:
            row = found.get(key)
            if row is None:
                answers.append((None, None))
            else:
                schema.layout.check(row[1])
                answers.append((instant(row[0]), decode(row[1])))
        return answers

    def _read_features_per_fv(self, config: RepoConfig, *args: Any, **kwargs: Any) -> None:
        """Feast reads view by view; all that one `get_online_features` answers is of one moment."""
        path = online_path(config)
        if not path.exists():
            super()._read_features_per_fv(config, *args, **kwargs)
            return
        with facing_feast(), self._answering(path):
            super()._read_features_per_fv(config, *args, **kwargs)

    @contextmanager
    def _answering(self, path: Path) -> Iterator[Snapshot]:
        """One snapshot for all that is read within the block."""
        with self._reading(path) as snapshot:
            token = _ANSWERING.set((path, snapshot))
            try:
                yield snapshot
            finally:
                _ANSWERING.reset(token)

    @contextmanager
    def _reading(self, path: Path) -> Iterator[Snapshot]:
        """The snapshot of the answer under way, or one of its own."""
        answering = _ANSWERING.get()
        if answering is not None and answering[0] == path:
            yield answering[1]
            return
        with self._database(path).reading() as snapshot:
            yield snapshot

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
        path = online_path(config)
        given = (registry, project, full_feature_names, include_feature_view_version_metadata)
        if not path.exists():
            return super().get_online_features(config, features, entity_rows, *given)
        with facing_feast(), self._answering(path) as snapshot:
            asked = Asked(_references(features, registry, project), snapshot.programs(), entity_rows)
            if not asked.computed:
                return super().get_online_features(config, features, entity_rows, *given)
            asked.check_names(full_names=full_feature_names)
            response = OnlineResponse(GetOnlineFeaturesResponse())
            if asked.stored:
                response = super().get_online_features(config, asked.stored, asked.columns, *given)
            encode = self._encoders.setdefault(path, TextEncoders(config.repo_path and Path(config.repo_path)))
            asked.add_to(response.proto, snapshot, encode, full_names=full_feature_names)
        return response

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows that were pushed, into what is served; a run of the engine takes a shorter way."""
        with facing_feast(), OnlineWriter(online_path(config)) as writer:
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
        path = online_path(config)
        if tables and path.exists():
            with facing_feast(), OnlineWriter(path) as writer:
                writer.drop([table.name for table in tables])

    def _database(self, path: Path) -> Database:
        return self._databases.setdefault(path, Database(path, readonly=True))


def online_path(config: RepoConfig) -> Path:
    """The SQLite file of a Feast configuration that uses this store."""
    return (Path(config.repo_path or ".") / str(config.online_store.path)).absolute()


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


def _generation(writer: OnlineWriter, view: FeatureView) -> Generation:
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

"""Feast's offline store over feature histories: point-in-time joins that lose no row and invent no value."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from feast import FeatureView, RepoConfig
from feast.data_source import DataSource
from feast.infra.offline_stores.file_source import FileSource
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel
from feast.utils import compute_non_entity_date_range

from limner.feature_repo import on_demand_offline
from limner.feature_repo.compile import VIEW_TAG
from limner.feature_repo.entity_table import entity_table, frame_table, timestamp_column
from limner.feature_repo.errors import FeastFacingError, facing_feast
from limner.feature_repo.events_view import EVENTS_TAG, event_columns
from limner.feature_repo.feast_types import arrow_type, field_type
from limner.feature_repo.point_in_time import STAMP, Joiner, Wanted
from limner.feature_repo.push import push_events
from limner.feature_repo.retrieval import LimnerRetrievalJob
from limner.language.errors import LimnerError
from limner.workers.history.served import served_history
from limner.workers.online.pack import EPOCH, instant
from limner.workers.sql import quoted

TYPE = "limner.feature_repo.offline_store.LimnerOfflineStore"
_STAMP_TYPE = pa.timestamp("us", tz="UTC")


class LimnerOfflineStoreConfig(FeastConfigBaseModel):
    """`offline_store:` of feature_store.yaml. DuckDB's limits: all cores and 80 % of memory where not set."""

    type: str = TYPE
    threads: int | None = None
    memory_limit: str | None = None


class LimnerOfflineStore(OfflineStore):
    """Histories by DuckDB's ASOF join; Parquet files of views that are not ours, by the same join."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **kwargs: Any,
    ) -> RetrievalJob:
        """Join features to entity rows as of each row's instant; rows and their order stay."""
        with facing_feast():
            wanted = [
                _wanted(config, view, features, full_feature_names)
                for view, features in _grouped(feature_refs, feature_views)
            ]
            if entity_df is None:
                frame = _changes(config, feature_views, wanted, kwargs.get("start_date"), kwargs.get("end_date"))
            elif isinstance(entity_df, pd.DataFrame):
                frame = entity_df
            else:
                raise FeastFacingError(
                    "Limner's offline store joins to a pandas DataFrame, not to an SQL query: run the query and pass "
                    "its result as entity_df"
                )
            timestamp = timestamp_column(frame)
            rows = frame_table(frame)
            for each in wanted:
                taken = {alias for _, alias, _ in each.features} & set(rows.column_names)
                if taken:
                    raise FeastFacingError(
                        f"the entity rows already have a column {min(taken)!r}: rename it, or pass full_feature_names"
                    )
            entities = entity_table(frame, _keys(wanted, feature_views), timestamp)
        metadata = RetrievalMetadata(
            features=feature_refs,
            keys=[column for column in rows.column_names if column != timestamp],
            min_event_timestamp=_moment(entities, "min"),
            max_event_timestamp=_moment(entities, "max"),
        )

        requested = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        computed, on_demand = on_demand_offline.split(requested, feature_refs, full_names=full_feature_names)
        given = {view.prefix + feature for view in computed for feature in view.features}
        if given & set(rows.column_names):
            name = min(given & set(rows.column_names))
            raise FeastFacingError(f"the entity rows already have a column {name!r}: rename it")

        def answer() -> pa.Table:
            joined: dict[tuple[str, str], pa.ChunkedArray] = {}
            joiner = _joiner(config)
            try:
                table = rows
                for each in wanted:
                    _warn_outside(joiner, each, entities)
                    for (feature, alias, _), column in zip(each.features, joiner.join(entities, each), strict=True):
                        joined[each.view, feature] = column
                        # What request views read comes along; of two of one name the first, which was asked for.
                        if alias not in table.column_names and alias not in given:
                            table = table.append_column(alias, column)
                asked = {each.view: each for each in wanted}
                for view in computed:
                    found = on_demand_offline.compute(view, rows, joined, joiner, asked, config.repo_path)
                    for name, array in found.items():
                        table = table.append_column(name, array)
                return table
            finally:
                joiner.close()

        return LimnerRetrievalJob(answer, config, full_feature_names, on_demand, metadata)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """Return the newest row of each entity with start_date < event timestamp <= end_date."""
        latest = f"QUALIFY row_number() OVER (PARTITION BY {{keys}} ORDER BY {STAMP} DESC) = 1"
        return _pull(
            config, data_source, join_key_columns, feature_name_columns, timestamp_field,
            created_timestamp_column, start_date, end_date, latest,
        )  # fmt: skip

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Return every row with start_date <= event timestamp <= end_date, ordered by it."""
        early = None if start_date is None else start_date - timedelta(microseconds=1)
        return _pull(
            config, data_source, join_key_columns, feature_name_columns, timestamp_field,
            created_timestamp_column, early, end_date, "",
        )  # fmt: skip

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Take events of a source that are pushed. Else refuse: a history is computed from its source."""
        if EVENTS_TAG in feature_view.tags:
            push_events(config, feature_view, table.to_pandas(types_mapper=pd.ArrowDtype))
            return
        raise FeastFacingError(
            f"rows cannot be pushed into the history of {feature_view.name!r}, which is computed from its source: "
            "add them to the source and run `feast materialize`"
        )

    def validate_data_source(self, config: RepoConfig, data_source: DataSource) -> None:
        """A history has no file before the first run; other sources are checked by Feast."""
        if VIEW_TAG not in data_source.tags and EVENTS_TAG not in data_source.tags:
            data_source.validate(config=config)

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Iterable[tuple[str, str]]:
        """Columns of a history and their Arrow types as text: its folder holds other files besides Parquet.

        Of events that are pushed: those of the source's files, but for the instant that whoever takes them writes.
        """
        if EVENTS_TAG in data_source.tags:
            with facing_feast():
                return [(name, "string") for name in event_columns(config, data_source.tags[EVENTS_TAG])]
        if VIEW_TAG not in data_source.tags or not isinstance(data_source, FileSource):
            return data_source.get_table_column_names_and_types(config=config)
        path = Path(FileSource.get_uri_for_file_path(config.repo_path, data_source.path))
        with facing_feast():
            history = served_history(path)
            parts = [] if history is None else history.parts()
            if not parts:
                raise LimnerError(f"view {path.name!r} has no history yet: run `feast materialize`")
        schema = pq.read_schema(parts[0].path)
        return list(zip(schema.names, map(str, schema.types), strict=True))


def _grouped(refs: Sequence[str], views: Sequence[FeatureView]) -> list[tuple[FeatureView, list[str]]]:
    """Requested features by view; a view may come twice under two names."""
    asked: dict[str, list[str]] = {}
    for ref in refs:
        view, feature = ref.rsplit(":", 1)
        asked.setdefault(view, []).append(feature)
    groups = []
    for each in views:
        names = asked.get(_called(each), [])
        if names:
            groups.append((each, list(dict.fromkeys(names))))
    return groups


def _called(view: FeatureView) -> str:
    return str(view.projection.name_to_use())  # type: ignore[no-untyped-call]


def _wanted(config: RepoConfig, view: FeatureView, features: Sequence[str], full_names: bool) -> Wanted:
    source = view.batch_source
    if not isinstance(source, FileSource):
        raise FeastFacingError(f"view {view.name!r} has no file source, and Limner's offline store reads files only")
    column = {mapped: own for own, mapped in source.field_mapping.items()}
    kinds = {field.name: field_type(field) for field in view.features}
    prefix = f"{_called(view)}__" if full_names else ""
    aliases = view.projection.join_key_map
    path = FileSource.get_uri_for_file_path(config.repo_path, source.path)
    ours = VIEW_TAG in view.tags
    return Wanted(
        view=view.name,
        history=Path(path) if ours else None,
        files=None if ours else path,
        keys=tuple((column.get(k.name, k.name), aliases.get(k.name, k.name)) for k in view.entity_columns),
        features=tuple((column.get(n, n), prefix + n, kinds[n]) for n in features),
        timestamp=source.timestamp_field or "event_timestamp",
        created=source.created_timestamp_column or None,
        ttl=view.ttl or timedelta(),
    )


def _keys(wanted: Sequence[Wanted], views: Sequence[FeatureView]) -> dict[str, pa.DataType]:
    """Key columns of the entity rows and the types that the views have them in."""
    types: dict[str, pa.DataType] = {}
    for view in views:
        for column in view.entity_columns:
            own = view.projection.join_key_map.get(column.name, column.name)
            types[own] = arrow_type(column.dtype)
    return {own: types[own] for each in wanted for _, own in each.keys}


def _changes(
    config: RepoConfig,
    views: Sequence[FeatureView],
    wanted: Sequence[Wanted],
    start: datetime | None,
    end: datetime | None,
) -> pd.DataFrame:
    """Entity rows where none are given: each entity at each instant of the range at which some view changes."""
    start, end = compute_non_entity_date_range(list(views), start_date=start, end_date=end)
    keys = [tuple(own for _, own in each.keys) for each in wanted]
    if len({frozenset(each) for each in keys}) > 1:
        raise FeastFacingError("without entity rows, all views must have the same join keys: pass entity_df")
    joiner = _joiner(config)
    try:
        selects = []
        for each in wanted:
            rows = joiner.rows(each, newest=_micros(end), oldest=_micros(start))
            pairs = {own: theirs for theirs, own in each.keys}
            if rows is not None:
                picked = ", ".join(f"{quoted(pairs[own])} AS {quoted(own)}" for own in keys[0])
                selects.append(f"SELECT {picked}, {STAMP} FROM ({rows})")
        if not selects:
            types = _keys(wanted, views)
            empty = {own: pa.array([], types[own]) for own in keys[0]}
            return pa.table({**empty, "event_timestamp": pa.array([], _STAMP_TYPE)}).to_pandas()
        listed = ", ".join(quoted(own) for own in keys[0])
        query = f"SELECT DISTINCT * FROM ({' UNION ALL '.join(selects)}) ORDER BY {listed}, {STAMP}"
        table = joiner.table(query)
    finally:
        joiner.close()
    stamps = table.column(STAMP).cast(_STAMP_TYPE)
    return table.drop_columns([STAMP]).append_column("event_timestamp", stamps).to_pandas()


def _pull(
    config: RepoConfig,
    source: DataSource,
    keys: Sequence[str],
    features: Sequence[str],
    timestamp: str,
    created: str | None,
    start: datetime | None,
    end: datetime | None,
    qualify: str,
) -> RetrievalJob:
    """Rows of one source as a job."""
    if not isinstance(source, FileSource):
        raise FeastFacingError(f"source {source.name!r} is not a file source, which is all this store reads")
    path = FileSource.get_uri_for_file_path(config.repo_path, source.path)
    ours = VIEW_TAG in source.tags
    wanted = Wanted(
        view=source.tags.get(VIEW_TAG, source.name),
        history=Path(path) if ours else None,
        files=None if ours else path,
        keys=tuple((key, key) for key in keys),
        features=tuple((feature, feature, pa.null()) for feature in features if feature not in keys),
        timestamp=timestamp,
        created=created,
    )

    def answer() -> pa.Table:
        joiner = _joiner(config)
        try:
            rows = joiner.rows(wanted, newest=_micros(end), oldest=_micros(start))
            if rows is None:
                return pa.table({column: pa.nulls(0) for column in [*keys, *features, timestamp]})
            listed = ", ".join(quoted(key) for key in keys)
            table = joiner.table(f"SELECT * FROM ({rows}) {qualify.format(keys=listed or '1')} ORDER BY {STAMP}")
        finally:
            joiner.close()
        stamps = table.column(STAMP).cast(_STAMP_TYPE)
        return table.drop_columns([STAMP]).append_column(timestamp, stamps)

    return LimnerRetrievalJob(answer, config, False, [], None)


def _warn_outside(joiner: Joiner, wanted: Wanted, entities: pa.Table) -> None:
    """Say so where a value is asked for at an instant that no run has reached."""
    history = None if wanted.history is None else joiner.history(wanted.history)
    coverage = None if history is None else history.coverage()
    if coverage is None:
        if wanted.history is not None:
            text = f"view {wanted.view!r} has no history yet, so its features are null: run `feast materialize`"
            warnings.warn(text, stacklevel=2)
        return
    newest = _moment(entities, "max")
    if newest is not None and _micros(newest) > coverage[1]:  # type: ignore[operator]
        warnings.warn(
            f"view {wanted.view!r} is complete up to {instant(coverage[1]):%Y-%m-%d %H:%M:%S} UTC; some rows ask for "
            "later instants and get the values of that one: run `feast materialize-incremental` first",
            stacklevel=2,
        )


def _joiner(config: RepoConfig) -> Joiner:
    store = config.offline_store
    return Joiner(threads=store.threads, memory_limit=store.memory_limit)


def _moment(entities: pa.Table, which: str) -> datetime | None:
    value = getattr(pc, which)(entities.column(STAMP)).as_py() if len(entities) else None
    return None if value is None else instant(value)


def _micros(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)

"""What Feast would do to answer a request for online features, worked out once a shape of request.

Feast resolves references, checks names and builds protobuf messages anew for each request. What of that depends on no
value is a plan: for stored features of our own online store it leaves only keys to look up and values to write. For
everything else there is no plan, and Feast's own server answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import orjson

from limner.feature_repo.feast_app import feast_app
from limner.feature_repo.quiet import hush

if TYPE_CHECKING:
    from feast import FeatureView

KeyKind = Literal["int", "string"]
_MOST_PLANS = 1_000
_UNKNOWN: Any = object()
REFRESH_SECONDS = 2.0


@dataclass(frozen=True)
class Shape:
    """What of a request decides how it is answered. `entities`: names of the columns of keys, in their order."""

    service: str | None
    features: tuple[str, ...]
    entities: tuple[str, ...]
    full_names: bool
    versions: bool


@dataclass(frozen=True)
class PlannedView:
    """Features of one view, by the names that the registry has for them."""

    name: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """An answer but for its values: `names` are the features' in the answer, behind the join keys."""

    keys: tuple[tuple[str, KeyKind], ...]
    views: tuple[PlannedView, ...]
    names: tuple[str, ...]
    versions: tuple[dict[str, Any], ...]

    @cached_property
    def metadata(self) -> bytes:
        """What an answer says about its columns, as JSON."""
        found: dict[str, Any] = {"feature_names": [*(name for name, _ in self.keys), *self.names]}
        if self.versions:
            found["feature_view_metadata"] = self.versions
        return orjson.dumps(found)


class Registered:
    """One state of a repository's registry: plans over it, and Feast's own server for what has none."""

    def __init__(self, repo: Path) -> None:
        hush()
        from feast import FeatureStore

        from limner.feature_repo.online_store import LimnerOnlineStore

        self._store = FeatureStore(repo_path=str(repo))
        self._store.refresh_registry()  # type: ignore[no-untyped-call]
        self._ours = isinstance(self._store._get_provider().online_store, LimnerOnlineStore)
        self._plans: dict[Shape, Plan | None] = {}
        self._lock = Lock()
        self._repo, self._refreshed = repo, monotonic()
        self.app = feast_app(self._store)

    @property
    def files(self) -> list[Path]:
        """The registry's file, where it has one: another state of it has another one."""
        path = Path(self._repo, str(self._store.config.registry.path))
        return [path] if path.is_file() else []

    def refresh(self) -> None:
        """Look at a registry that is no file again, as `feast serve` does every two seconds."""
        if self.files or monotonic() - self._refreshed < REFRESH_SECONDS:
            return
        with self._lock:
            self._store.refresh_registry()  # type: ignore[no-untyped-call]
            self._refreshed = monotonic()
            self._plans = {}

    @property
    def guarded(self) -> bool:
        """Whether Feast's permissions decide who may read what: then every answer is Feast's own."""
        return str(self._store.config.auth_config.type) != "no_auth"

    def known(self, shape: Shape) -> Plan | None:
        """The plan for a shape that was asked for before. KeyError for a new one."""
        found = self._plans.get(shape, _UNKNOWN)
        if found is _UNKNOWN:
            raise KeyError(shape)
        return found  # type: ignore[no-any-return]

    def plan(self, shape: Shape) -> Plan | None:
        """The plan for a shape; None where only Feast can answer, be it with an error."""
        with self._lock:  # Feast's registry is not made for threads
            try:
                found = None if self.guarded or not self._ours else self._make(shape)
            except Exception:  # noqa: BLE001 - whatever Feast has against this request, it says itself
                found = None
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[shape] = found
            return found

    def _make(self, shape: Shape) -> Plan | None:
        from feast import utils

        store = self._store
        asked: Any = store.get_feature_service(shape.service) if shape.service else list(shape.features)
        (_, computed, _, types, _, grouped, _, needed, _) = utils._get_online_request_context(
            store.registry, store.project, asked, shape.full_names
        )
        views = [view for view, _ in grouped]
        if computed or needed or not views or getattr(asked, "precompute_online", False):
            return None
        join_keys = {column.name for view in views for column in view.entity_columns}
        if any(_special(view) for view in views) or set(shape.entities) != join_keys:
            return None
        keys = [(name, _key_kind(types.get(name))) for name in shape.entities]
        if any(kind is None for _, kind in keys):
            return None
        names: list[str] = []
        for view, features in grouped:
            prefix = f"{view.projection.name_to_use()}__" if shape.full_names else ""
            names += [prefix + feature for feature in features]
        return Plan(
            tuple((name, kind) for name, kind in keys if kind is not None),
            tuple(PlannedView(view.name, tuple(features)) for view, features in grouped),
            tuple(names),
            tuple(_versions(views)) if shape.versions else (),
        )


def _special(view: "FeatureView") -> bool:
    """Whether Feast does more for it than look values up by its own join keys."""
    from feast import FeatureView

    projection = view.projection
    return type(view) is not FeatureView or bool(projection.join_key_map) or projection.version_tag is not None


def _key_kind(kind: Any) -> KeyKind | None:
    from feast.value_type import ValueType

    kinds: dict[Any, KeyKind] = {ValueType.INT64: "int", ValueType.STRING: "string"}
    return kinds.get(kind)


def _versions(views: "Sequence[FeatureView]") -> list[dict[str, Any]]:
    """Name and version of each view, as Feast's server writes them: what is zero or empty is left out."""
    found: dict[str, dict[str, Any]] = {}
    for view in views:
        name = view.projection.name_alias or view.projection.name
        version = getattr(view, "current_version_number", 0) or 0
        found.setdefault(name, {"name": name} | ({"version": version} if version else {}))
    return list(found.values())

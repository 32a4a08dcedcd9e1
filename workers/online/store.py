"""`limner.Store`: online profiles straight from where they are kept, without Feast, Ray or torch.

store = limner.Store("path/to/project")
store.profile("recommender_v1", 14)              # {"household_id": 14, "spend_30d": 87.1, ...}
store.read("shopper_taste", [14, 15, 16])        # an Arrow table, one row a key, in the order given
store.similar("shopper_taste", "taste", 14, 5)   # the five nearest neighbours by cosine
store.profile("shopper_now", 14, request={"now": datetime.now(UTC)})   # features that need a request
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.online.arrays import Arrays
from limner.workers.online.database import Generation, Snapshot
from limner.workers.online.locate import online_place, repository
from limner.workers.online.opening import open_database
from limner.workers.online.pack import Column, instant
from limner.workers.online.reading import Rows, encode, rows_of
from limner.workers.online.requests import Request, requested
from limner.workers.online.schema import ViewSchema
from limner.workers.online.selection import choose, select
from limner.workers.online.tables import columns_of, table_of
from limner.workers.request.fields import kind_of
from limner.workers.request.texts import TextEncoders

Key = Any  # a value, a tuple of values in the entity's order, or a mapping join key -> value


@dataclass(frozen=True)
class View:
    """What is served of a view: its join keys, its features, and the instant it was last materialized to."""

    name: str
    keys: tuple[str, ...]
    features: tuple[str, ...]
    fingerprint: str
    as_of: datetime | None
    entities: int


@dataclass(frozen=True)
class RequestView:
    """What is computed when it is read: its features, the views it reads, and what a request must bring, with types."""

    name: str
    features: tuple[str, ...]
    views: tuple[str, ...]
    request: dict[str, str]


@dataclass(frozen=True)
class Neighbour:
    """An entity and the cosine between its vector and the one asked about."""

    key: tuple[Any, ...]
    similarity: float


class Store:
    """Reads online values. Threads may share it; every answer is one consistent state."""

    def __init__(self, path: str | Path = ".") -> None:
        """Open the project at `path` (or the `.db` file itself). LimnerError if it holds no online values."""
        self._database = open_database(online_place(Path(path)))
        self._database.check()
        self._encode = TextEncoders(repository(Path(path)))

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()

    def views(self) -> tuple[View, ...]:
        """What is served, by name."""
        return self._database.read(lambda snapshot: tuple(_describe(snapshot, g) for g in snapshot.served().values()))

    def profiles(self) -> dict[str, dict[str, list[str]]]:
        """The members of each profile: view -> features."""
        found = self._database.read(lambda snapshot: snapshot.profiles())
        return {name: json.loads(members) for name, members in found.items()}

    def request_views(self) -> tuple[RequestView, ...]:
        """What is computed when it is read, by name."""
        programs = self._database.read(lambda snapshot: snapshot.programs())
        return tuple(
            RequestView(name, tuple(f.name for f in program.features), tuple(program.views), _types(program.request))
            for name, program in programs.items()
        )

    def join_keys(self, name: str) -> tuple[str, ...]:
        """The join keys of a view, request view or profile, in the order of its entity."""
        chosen = self._database.read(lambda snapshot: select(snapshot, name, None))
        first = next(view for view in chosen.stored if view in chosen.served)
        return tuple(key for key, _ in chosen.served[first].schema.keys)

    def request_fields(self, name: str) -> dict[str, Column]:
        """The fields that a request must bring for a profile or request view, with their types; none for a view."""
        return self._database.read(lambda snapshot: select(snapshot, name, None)).fields

    def read(
        self,
        name: str,
        keys: Sequence[Key] | Mapping[str, Sequence[Any]],
        features: Iterable[str] | None = None,
        *,
        request: Request | None = None,
    ) -> pa.Table:
        """Features of a view or profile: one row a key, in the order given; an unknown key is a row of nulls.

        A view's table ends with its `event_timestamp`, the instant from which its values hold. Where two views of
        a profile share a feature name, both are called `view__feature`. `request` is what request views need: one
        mapping for all keys, or a list with one a key.
        """
        wanted = None if features is None else list(features)
        asked = rows_of(keys)
        return self._database.read(lambda snapshot: table_of(snapshot, name, asked, wanted, request, self._encode)[0])

    def arrays(self, view: str, keys: Sequence[Key] | Mapping[str, Sequence[Any]]) -> Arrays:
        """A view as NumPy arrays, one row a key, in the order given; `arrays("shopper_taste", [14])["taste"]`.

        Of what `read` gives, the features and `event_timestamp`. An unknown key is a row of nulls.
        """
        asked = rows_of(keys)
        return self._database.read(lambda snapshot: self._arrays(snapshot, view, asked))

    def _arrays(self, snapshot: Snapshot, view: str, keys: list[Any]) -> Arrays:
        selection = select(snapshot, view, None)
        if view not in selection.served:
            raise LimnerError(f"{view!r} is no view whose values are stored: `read` gives it as an Arrow table")
        return Arrays(
            selection.served[view].schema, selection.members[view], Rows(snapshot, selection.served, keys).of(view)
        )

    def profile(self, name: str, key: Key, *, request: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """One entity's profile (or view) as a dict, join keys first; None if nothing in it knows the entity.

        A feature that is declared but not yet computed is None: a view serves its earlier definition until a run has
        completed the new one. `request` is what request views need; LimnerError for a field that is missing.
        """
        return self._database.read(lambda snapshot: self._dict(snapshot, name, key, request))

    def _dict(
        self, snapshot: Snapshot, name: str, key: Key, request: Mapping[str, Any] | None
    ) -> dict[str, Any] | None:
        selection = select(snapshot, name, None)
        rows = Rows(snapshot, selection.served, rows_of([key]))
        given = requested(selection.fields, request, 1, name)
        found: dict[str, Any] = {}
        known = False
        for view in selection.stored:
            if view in selection.served:
                schema = selection.served[view].schema
                encoded = encode(schema, rows.keys)[0]
                found |= dict(zip((n for n, _ in schema.keys), schema.decode(encoded), strict=True))
                known |= rows.of(view) != [None]
        if not known:
            return None
        for view, chosen in selection.members.items():
            if view in selection.programs:
                arrays = columns_of(view, chosen, rows, selection.programs, given, self._encode)
                values = {n: array[0].as_py() for n, array in arrays.items()}
            else:
                values = {n: rows.value(view, n) for n in chosen}
            found |= {f"{view}__{n}" if n in selection.repeated else n: value for n, value in values.items()}
        return found

    def similar(self, view: str, feature: str, key: Key, k: int = 5) -> list[Neighbour]:
        """The `k` entities whose vectors are nearest to this one's by cosine, nearest first, itself left out.

        Every vector is compared, so time and memory grow with the number of entities. LimnerError if the feature is
        no vector or the entity has none.
        """
        schema, position, wanted, found = self._database.read(lambda snapshot: _vectors(snapshot, view, feature, key))
        keys, values = list(found), list(found.values())
        matrix, present = schema.layout.matrix(values, position)
        names = [keys[row] for row in present]
        if wanted not in names:
            raise LimnerError(f"{_say(schema, wanted)} has no {feature!r} in {view!r}")
        lengths = np.linalg.norm(matrix, axis=1)
        own = names.index(wanted)
        with np.errstate(invalid="ignore", divide="ignore"):
            cosines = np.nan_to_num(matrix @ matrix[own] / (lengths * lengths[own]), nan=-1.0)
        order = sorted((n for n in range(len(names)) if n != own), key=lambda n: (-cosines[n], names[n]))
        return [Neighbour(schema.decode(names[n]), float(cosines[n])) for n in order[:k]]


def _vectors(
    snapshot: Snapshot, view: str, feature: str, key: Key
) -> tuple[ViewSchema, int, bytes, dict[bytes, bytes]]:
    """A view's schema, the position of a vector in it, a key as bytes, and all packed values by key."""
    selection = select(snapshot, view, [feature])
    found = next(iter(selection.members))
    if found in selection.programs:
        raise LimnerError(f"{feature!r} is computed when it is read: name the view whose vectors to compare")
    generation = selection.served[found]
    schema = generation.schema
    position = schema.layout.index[feature]
    if schema.columns[position].dim is None:
        vectors = [column.name for column in schema.columns if column.dim is not None]
        raise LimnerError(f"feature {feature!r} of {view!r} is not a vector{choose(feature, vectors)}")
    wanted = encode(schema, rows_of([key]))[0]
    return schema, position, wanted, {encoded: value for encoded, _, value in snapshot.scan(generation)}


def _types(fields: Sequence[Column]) -> dict[str, str]:
    return {field.name: kind_of(field) for field in fields}


def _describe(snapshot: Snapshot, generation: Generation) -> View:
    schema = generation.schema
    return View(
        schema.view,
        tuple(name for name, _ in schema.keys),
        tuple(column.name for column in schema.columns),
        schema.fingerprint,
        None if generation.as_of is None else instant(generation.as_of),
        snapshot.count(generation),
    )


def _say(schema: ViewSchema, key: bytes) -> str:
    return ", ".join(f"{name} {value}" for (name, _), value in zip(schema.keys, schema.decode(key), strict=True))

"""`limner.Store`: online profiles straight from the SQLite file, without Feast, Ray or torch.

store = limner.Store("path/to/project")
store.profile("recommender_v1", 14)              # {"household_id": 14, "spend_30d": 87.1, ...}
store.read("shopper_taste", [14, 15, 16])        # an Arrow table, one row a key, in the order given
store.similar("shopper_taste", "taste", 14, 5)   # the five nearest neighbours by cosine
"""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.online.locate import online_path
from limner.workers.online.pack import instant
from limner.workers.online.schema import ViewSchema
from limner.workers.online.sqlite import Database, Generation, Snapshot

Key = Any  # a value, a tuple of values in the entity's order, or a mapping join key -> value
_STAMP = pa.timestamp("us", tz="UTC")


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
class Neighbour:
    """An entity and the cosine between its vector and the one asked about."""

    key: tuple[Any, ...]
    similarity: float


class Store:
    """Reads online values. Threads may share it; every answer is one consistent state of the file."""

    def __init__(self, path: str | Path = ".") -> None:
        """Open the project at `path` (or the `.db` file itself). LimnerError if it holds no online values."""
        self._database = Database(online_path(Path(path)), readonly=True)
        self._database.connection()

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()

    def views(self) -> tuple[View, ...]:
        """What is served, by name."""
        with self._database.reading() as snapshot:
            return tuple(_describe(snapshot, generation) for generation in snapshot.served().values())

    def profiles(self) -> dict[str, dict[str, list[str]]]:
        """The members of each profile: view -> features."""
        with self._database.reading() as snapshot:
            return {name: json.loads(members) for name, members in snapshot.profiles().items()}

    def read(
        self,
        name: str,
        keys: Sequence[Key] | Mapping[str, Sequence[Any]],
        features: Iterable[str] | None = None,
    ) -> pa.Table:
        """Features of a view or profile: one row a key, in the order given; an unknown key is a row of nulls.

        A view's table ends with its `event_timestamp`, the instant from which its values hold. Where two views of
        a profile share a feature name, both are called `view__feature`.
        """
        with self._database.reading() as snapshot:
            members, served = _members(snapshot, name, features)
            rows = _rows(keys)
            columns: dict[str, pa.Array] = {}
            for view in members:
                if view in served:
                    schema = served[view].schema
                    columns |= schema.key_arrays(map(schema.decode, _encode(schema, rows)))
            repeated = _repeated(members)
            for view, chosen in members.items():
                stamps, arrays = _arrays(snapshot, served.get(view), rows, chosen)
                columns |= {
                    f"{view}__{n}" if n in repeated else n: array for n, array in zip(chosen, arrays, strict=True)
                }
                if name == view:
                    columns["event_timestamp"] = stamps
        return pa.table(columns)

    def profile(self, name: str, key: Key) -> dict[str, Any] | None:
        """One entity's profile (or view) as a dict, join keys first; None if nothing in it knows the entity.

        A feature that is declared but not yet computed is None: a view serves its earlier definition until a run has
        completed the new one.
        """
        with self._database.reading() as snapshot:
            members, served = _members(snapshot, name, None)
            repeated = _repeated(members)
            answer: dict[str, Any] = {}
            found: dict[str, tuple[int, bytes]] = {}
            for view in members:
                if view in served:
                    schema = served[view].schema
                    encoded = _encode(schema, _rows([key]))[0]
                    answer |= dict(zip((n for n, _ in schema.keys), schema.decode(encoded), strict=True))
                    for row in snapshot.fetch(served[view], [encoded]).values():
                        found[view] = row
            for view, chosen in members.items():
                for n in chosen:
                    value = None
                    if view in found and n in served[view].schema.layout.index:
                        layout = served[view].schema.layout
                        layout.check(found[view][1])
                        value = layout.get(found[view][1], layout.index[n])
                    answer[f"{view}__{n}" if n in repeated else n] = value
        return answer if found else None

    def similar(self, view: str, feature: str, key: Key, k: int = 5) -> list[Neighbour]:
        """The `k` entities whose vectors are nearest to this one's by cosine, nearest first, itself left out.

        Every vector is compared, so time and memory grow with the number of entities. LimnerError if the feature is
        no vector or the entity has none.
        """
        with self._database.reading() as snapshot:
            members, served = _members(snapshot, view, [feature])
            generation = served[next(iter(members))]
            schema = generation.schema
            position = schema.layout.index[feature]
            if schema.columns[position].dim is None:
                vectors = [column.name for column in schema.columns if column.dim is not None]
                raise LimnerError(f"feature {feature!r} of {view!r} is not a vector{_choose(feature, vectors)}")
            wanted = _encode(schema, _rows([key]))[0]
            keys, values = [], []
            for encoded, _, value in snapshot.scan(generation):
                keys.append(encoded)
                values.append(value)
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


def _members(
    snapshot: Snapshot, name: str, features: Iterable[str] | None
) -> tuple[dict[str, list[str]], dict[str, Generation]]:
    """View -> features of a view or profile; those that are asked for by name are checked."""
    served = snapshot.served()
    profiles = snapshot.profiles()
    if name in profiles and name not in served:
        members: dict[str, list[str]] = json.loads(profiles[name])
    elif name in served:
        members = {name: [column.name for column in served[name].schema.columns]}
    else:
        raise LimnerError(f"there is no view or profile {name!r} online{_choose(name, [*served, *profiles])}")
    if features is not None:
        wanted = list(features)
        unknown = [n for n in wanted if not any(n in chosen for chosen in members.values())]
        if unknown:
            known = [n for chosen in members.values() for n in chosen]
            raise LimnerError(f"{name!r} has no feature {unknown[0]!r}{_choose(unknown[0], known)}")
        members = {view: [n for n in wanted if n in chosen] for view, chosen in members.items()}
        members = {view: chosen for view, chosen in members.items() if chosen}
    if not any(view in served for view in members):
        raise LimnerError(f"no view of profile {name!r} has online values yet: run `limner materialize START END`")
    return members, served


def _arrays(
    snapshot: Snapshot, generation: Generation | None, rows: Sequence[Any], chosen: Sequence[str]
) -> tuple[pa.Array, list[pa.Array]]:
    """Event timestamps and features; nulls for what is not yet computed."""
    if generation is None:
        return pa.nulls(len(rows), _STAMP), [pa.nulls(len(rows)) for _ in chosen]
    schema = generation.schema
    keys = _encode(schema, rows)
    found = snapshot.fetch(generation, list(dict.fromkeys(keys)))
    values = [found[key][1] if key in found else None for key in keys]
    for value in found.values():
        schema.layout.check(value[1])
    stamps = pa.array([found[key][0] if key in found else None for key in keys], pa.int64()).cast(_STAMP)
    index = schema.layout.index
    return stamps, [schema.layout.arrow(values, index[n]) if n in index else pa.nulls(len(rows)) for n in chosen]


def _rows(keys: Sequence[Key] | Mapping[str, Sequence[Any]]) -> list[Any]:
    """Keys as dicts or tuples."""
    if isinstance(keys, Mapping):
        return [dict(zip(keys, row, strict=True)) for row in zip(*keys.values(), strict=True)]
    return [key if isinstance(key, Mapping | tuple | list) else (key,) for key in keys]


def _encode(schema: ViewSchema, rows: Sequence[Any]) -> list[bytes]:
    names = [name for name, _ in schema.keys]
    encoded = []
    for row in rows:
        if isinstance(row, Mapping):
            absent = [name for name in names if name not in row]
            if absent:
                raise LimnerError(
                    f"view {schema.view!r} needs join key {absent[0]!r}; given: {', '.join(map(str, row))}"
                )
            encoded.append(schema.encode([row[name] for name in names]))
        else:
            encoded.append(schema.encode(row))
    return encoded


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


def _repeated(members: Mapping[str, list[str]]) -> set[str]:
    names = [name for chosen in members.values() for name in chosen]
    return {name for name in names if names.count(name) > 1}


def _choose(name: str, candidates: Sequence[str]) -> str:
    """`: did you mean ...`, or the list of what there is."""
    nearest = difflib.get_close_matches(name, candidates, n=1)
    if nearest:
        return f": did you mean {nearest[0]!r}?"
    return f"; there is {', '.join(sorted(candidates))}" if candidates else ""


def _say(schema: ViewSchema, key: bytes) -> str:
    return ", ".join(f"{name} {value}" for (name, _), value in zip(schema.keys, schema.decode(key), strict=True))

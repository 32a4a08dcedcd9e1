"""`POST /get-online-features` from a plan: the JSON that Feast's server would answer, straight from packed values."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from limner.feature_repo.online_plans import Plan, PlannedView, Shape
from limner.serving.records import FEAST, Records
from limner.workers.online.database import Snapshot
from limner.workers.online.reading import Row

if TYPE_CHECKING:
    from limner.workers.online.database import Generation

MICROS = 1_000_000
_NEVER = "1970-01-01T00:00:00Z"  # an empty protobuf Timestamp
_KNOWN = {"entities", "feature_service", "features", "full_feature_names", "include_feature_view_version_metadata"}
_KINDS: dict[str, type] = {"int": int, "string": str}
_INT64 = 1 << 63
_SCALAR = {"number", "bool"}
Columns = Mapping[str, Sequence[Any]]


def shape_of(body: Any) -> tuple[Shape, Columns] | None:
    """What is asked, and the columns of keys; None for what is not plainly right: Feast says what is wrong."""
    if not isinstance(body, dict) or not isinstance(entities := body.get("entities"), dict) or not entities:
        return None
    if not body.keys() <= _KNOWN or not all(isinstance(column, list) for column in entities.values()):
        return None
    service, features = body.get("feature_service"), body.get("features", [])
    full, versions = body.get("full_feature_names", False), body.get("include_feature_view_version_metadata", False)
    if not isinstance(service, str | None):
        return None
    if not isinstance(features, list) or not {*map(type, features)} <= {str}:
        return None
    if not isinstance(full, bool) or not isinstance(versions, bool):
        return None
    return Shape(service or None, () if service else tuple(features), tuple(entities), full, versions), entities


def rows_of(body: Any) -> int:
    """How many entities a request names, whatever else it says."""
    entities = body.get("entities") if isinstance(body, dict) else None
    columns = entities.values() if isinstance(entities, dict) else ()
    return max((len(column) for column in columns if isinstance(column, list)), default=0)


def fits(plan: Plan, entities: Columns) -> bool:
    """Whether the keys are of the types and lengths of the plan; Feast says what is wrong with others."""
    rows = len(next(iter(entities.values())))
    if not rows or any(len(column) != rows for column in entities.values()):
        return False
    for name, kind in plan.keys:
        column = entities[name]
        if set(map(type, column)) != {_KINDS[kind]}:
            return False
        if kind == "int" and not -_INT64 <= min(column) <= max(column) < _INT64:
            return False
    return True


def answer(plan: Plan, entities: Columns, snapshot: Snapshot) -> tuple[bytes, int]:
    """The body of the answer, and how many of the rows looked up were not there."""
    rows = len(next(iter(entities.values())))
    own = _tail(["PRESENT"] * rows, [_NEVER] * rows)
    parts = [part for name, _ in plan.keys for part in _vector(orjson.dumps(entities[name]), own)]
    missing, served = 0, snapshot.served()
    for view in plan.views:
        found = _rows(snapshot, served.get(view.name), entities, rows)
        absent = found.count(None)
        missing += absent
        parts += _vectors(view, served.get(view.name), found)
    # Copied once: new memory for some hundred kilobytes takes as long as writing the numbers in it.
    parts[0] = b'{"results":[' + parts[0][1:]  # no comma before the first one
    return b"".join((*parts, b'],"metadata":', plan.metadata, b"}")), missing


def _rows(snapshot: Snapshot, generation: "Generation | None", entities: Columns, rows: int) -> Sequence[Row | None]:
    if generation is None:
        return [None] * rows
    schema = generation.schema
    columns = [entities[name] for name, _ in schema.keys]
    keys = schema.encode_simple(columns[0]) if schema.simple else None
    if keys is None:
        keys = [schema.encode(key) for key in zip(*columns, strict=True)]
    found = snapshot.fetch(generation, keys)
    return [found.get(key) for key in keys]


def _vectors(view: PlannedView, generation: "Generation | None", rows: Sequence[Row | None]) -> list[bytes]:
    """The pieces of a feature each; one that is declared but not yet computed is NOT_FOUND."""
    stamps = [_NEVER if row is None else timestamp(row[0]) for row in rows]
    written: dict[str, bytes] = {}
    if generation is not None:
        layout = generation.schema.layout
        positions = [layout.index[feature] for feature in view.features if feature in layout.index]
        columns = Records(layout, [row and row[1] for row in rows]).columns(positions, FEAST)
        names = (layout.columns[position].name for position in positions)
        written = dict(zip(names, _arrays(columns, [layout.shapes[position] for position in positions]), strict=True))
    tail = _tail(["NOT_FOUND" if row is None else "PRESENT" for row in rows], stamps)
    absent: tuple[bytes, ...] = ()
    if len(written) < len(view.features):
        absent = _vector(orjson.dumps([None] * len(rows)), _tail(["NOT_FOUND"] * len(rows), stamps))
    found: list[bytes] = []
    for feature in view.features:
        found += _vector(written[feature], tail) if feature in written else absent
    return found


def _arrays(columns: Sequence[Sequence[Any]], shapes: Sequence[str]) -> list[bytes]:
    """Columns as JSON. Those of numbers at once: neither a number nor what stands for one has a bracket in it."""
    together = [column for column, shape in zip(columns, shapes, strict=True) if shape in _SCALAR]
    numbers = iter(orjson.dumps(together)[2:-2].split(b"],["))
    return [
        b"[%b]" % next(numbers) if shape in _SCALAR else orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)
        for column, shape in zip(columns, shapes, strict=True)
    ]


def _vector(values: bytes, tail: bytes) -> tuple[bytes, bytes, bytes]:
    """The pieces of one, behind a comma."""
    return b',{"values":', values, tail


def _tail(statuses: list[str], stamps: list[str]) -> bytes:
    """What all features of a view share."""
    return b',"statuses":' + orjson.dumps(statuses) + b',"event_timestamps":' + orjson.dumps(stamps) + b"}"


@lru_cache(maxsize=4096)
def timestamp(micros: int) -> str:
    """An instant (µs UTC) as protobuf's JSON has it: no fraction, or three or six digits of it."""
    seconds, fraction = divmod(micros, MICROS)
    if not seconds and not fraction:
        return _NEVER
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if not fraction:
        return f"{text}Z"
    return f"{text}.{fraction // 1000:03d}Z" if fraction % 1000 == 0 else f"{text}.{fraction:06d}Z"

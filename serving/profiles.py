"""The lean answers: profiles as JSON objects, or as an Arrow stream."""

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from limner.serving.asked import ProfilesAsked, key_of_path, keys_of
from limner.serving.client.arrow_form import UNKNOWN
from limner.serving.messages import ARROW, HttpError, Reply
from limner.serving.records import LEAN, Records
from limner.serving.served import Served
from limner.workers.online.database import Snapshot
from limner.workers.online.reading import Rows, encode
from limner.workers.online.requests import answer, requested
from limner.workers.online.selection import Selection, select
from limner.workers.online.tables import known, table_of
from limner.workers.request.evaluate import Encode

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
Found = list[dict[str, Any] | None]


def one(served: Served, name: str, key: str, features: list[str] | None, *, arrow: bool) -> Reply:
    """`GET /profiles/{name}/{key}`. HttpError 404 for an entity that is not known."""

    def read(snapshot: Snapshot) -> tuple[Any, Found]:
        selection = select(snapshot, name, features)
        asked = key_of_path(selection, key)
        return asked, [] if arrow else _found(snapshot, selection, [asked], None, served.encode)

    asked, found = served.database.read(read)
    if arrow:
        return _table(served, ProfilesAsked(name, [asked], features))
    lookups = name, 1, found.count(None)
    if found[0] is None:
        return Reply(orjson.dumps({"error": f"{name!r} knows no entity {key!r}"}), 404, lookups=lookups)
    return Reply(orjson.dumps(found[0], option=_OPTIONS), lookups=lookups)


def many(served: Served, asked: ProfilesAsked, *, arrow: bool) -> Reply:
    """`POST /profiles`: an object a key, in the order given, null for an entity that is not known; or a table."""
    if arrow:
        return _table(served, asked)

    def read(snapshot: Snapshot) -> Found:
        selection = select(snapshot, asked.name, asked.features)
        return _found(snapshot, selection, keys_of(selection, asked.keys), asked.request, served.encode)

    found = served.database.read(read)
    return Reply(
        orjson.dumps({"profiles": found}, option=_OPTIONS), lookups=(asked.name, len(found), found.count(None))
    )


def _table(served: Served, asked: ProfilesAsked) -> Reply:
    """As `limner.Store.read` gives it: an unknown key is a row of nulls. The schema's metadata names those rows."""

    def read(snapshot: Snapshot) -> tuple[pa.Table, list[bool]]:
        keys = keys_of(select(snapshot, asked.name, asked.features), asked.keys)
        return table_of(snapshot, asked.name, list(keys), asked.features, asked.request, served.encode)

    table, there = served.database.read(read)
    absent = [row for row, each in enumerate(there) if not each]
    table = table.replace_schema_metadata({UNKNOWN: orjson.dumps(absent)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Reply(sink.getvalue().to_pybytes(), media=ARROW, lookups=(asked.name, len(there), len(absent)))


def _found(snapshot: Snapshot, selection: Selection, keys: Sequence[Any], request: Any, encoder: Encode) -> Found:
    """As `limner.Store.profile` gives it, a dict a key: join keys first; None where nothing knows the entity."""
    rows = Rows(snapshot, selection.served, keys)
    given = requested(selection.fields, request, len(keys), selection.name)
    names: dict[str, Sequence[Any]] = {}
    for view in selection.stored:
        if view in selection.served:
            schema = selection.served[view].schema
            columns = zip(*map(schema.decode, encode(schema, keys)), strict=True)
            names |= {name: list(column) for (name, _), column in zip(schema.keys, columns, strict=True)}
    for view, features in selection.members.items():
        if view in selection.programs:
            found = answer(selection.programs[view], features, rows, given, encoder)
            columns_of_view = {name: array.to_pylist() for name, array in found.items()}
        else:
            columns_of_view = _stored(rows, view, features)
        repeated = selection.repeated
        names |= {f"{view}__{n}" if n in repeated else n: column for n, column in columns_of_view.items()}
    every, there = list(names), known(selection, rows)
    values = zip(*names.values(), strict=True)
    return [dict(zip(every, row, strict=True)) if each else None for row, each in zip(values, there, strict=True)]


def _stored(rows: Rows, view: str, features: Sequence[str]) -> dict[str, Sequence[Any]]:
    """A feature that is declared but not yet computed is null."""
    if view not in rows.served:
        return {feature: [None] * len(rows.keys) for feature in features}
    layout = rows.served[view].schema.layout
    positions = {feature: layout.index[feature] for feature in features if feature in layout.index}
    columns = Records(layout, [row and row[1] for row in rows.of(view)]).columns(positions.values(), LEAN)
    known = dict(zip(positions, columns, strict=True))
    return {feature: known.get(feature, [None] * len(rows.keys)) for feature in features}


def wants_arrow(accept: bytes) -> bool:
    """Whether an Accept header asks for Arrow. HttpError 406 where it takes neither Arrow nor JSON."""
    kinds = [each.partition(b";")[0].strip().lower() for each in accept.split(b",")] if accept else []
    if ARROW.encode() in kinds:
        return True
    if kinds and not {b"application/json", b"application/*", b"*/*"} & set(kinds):
        raise HttpError(406, f"answers are application/json or {ARROW}")
    return False

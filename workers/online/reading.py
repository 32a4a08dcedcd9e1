"""Rows of several views in one snapshot: each row is fetched once, whatever is made of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.online.batches import STAMP, Form
from limner.workers.online.database import Generation, Snapshot
from limner.workers.online.pack import Column
from limner.workers.online.schema import ViewSchema
from limner.workers.online.unpack import Unpacked

Row = tuple[int, bytes]  # event timestamp (µs UTC) and packed value


class Rows:
    """What a snapshot holds about some entities, a row a key in the order given; views are read when first asked for.

    A key is a mapping of join keys, or their values in the order of the view's entity.
    """

    def __init__(self, snapshot: Snapshot, served: Mapping[str, Generation], keys: Sequence[Any]) -> None:
        self.served = served
        self.keys = keys
        self._snapshot = snapshot
        self._encoded: dict[tuple[tuple[str, str], ...], list[bytes]] = {}
        self._found: dict[str, list[Row | None]] = {}

    def of(self, view: str) -> list[Row | None]:
        """The rows of a view; None for an entity that it does not know, or where it is not yet computed."""
        if view not in self._found:
            self._found[view] = self._fetch(view)
        return self._found[view]

    def unpacked(self, view: str) -> Unpacked:
        """The packed values of a view that is served. LimnerError if one is damaged."""
        return Unpacked(self.served[view].schema.layout, [row and row[1] for row in self.of(view)])

    def batch(self, view: str, form: Form) -> pa.RecordBatch:
        """A view as a form that has its key and its event timestamps."""
        keys = np.frombuffer(b"".join(self.encoded(self.served[view].schema)), dtype=">i8")
        return form.batch(self.unpacked(view), keys, [row and row[0] for row in self.of(view)])

    def join_keys(self, view: str) -> dict[str, pa.Array]:
        """The join keys as columns, in the types of a view's entity."""
        schema = self.served[view].schema
        return schema.key_columns(self.encoded(schema))

    def stamps(self, view: str) -> pa.Array:
        """Event timestamps: from when on a row's values hold."""
        return pa.array([row and row[0] for row in self.of(view)], STAMP)

    def columns(self, view: str, features: Iterable[str]) -> dict[str, pa.Array]:
        """Some features, a column each; without those that are declared but not yet computed."""
        index = {} if view not in self.served else self.served[view].schema.layout.index
        known = [feature for feature in features if feature in index]
        return dict(zip(known, self.unpacked(view).columns([index[n] for n in known]), strict=True)) if known else {}

    def value(self, view: str, feature: str) -> Any:
        """A feature of the first entity as a Python value."""
        row = self.of(view)[0]
        layout = None if row is None else self.served[view].schema.layout
        if row is None or layout is None or feature not in layout.index:
            return None
        layout.check(row[1])
        return layout.get(row[1], layout.index[feature])

    def declared(self, view: str, feature: str) -> Column | None:
        """How a feature that is served was declared."""
        layout = None if view not in self.served else self.served[view].schema.layout
        return None if layout is None or feature not in layout.index else layout.columns[layout.index[feature]]

    def _fetch(self, view: str) -> list[Row | None]:
        generation = self.served.get(view)
        if generation is None:
            return [None] * len(self.keys)
        wanted = self.encoded(generation.schema)
        found = self._snapshot.fetch(generation, wanted)
        return [found.get(key) for key in wanted]

    def encoded(self, schema: ViewSchema) -> list[bytes]:
        """The keys as bytes: the same for all views of one entity."""
        if schema.keys not in self._encoded:
            self._encoded[schema.keys] = encode(schema, self.keys)
        return self._encoded[schema.keys]


def rows_of(keys: Sequence[Any] | Mapping[str, Sequence[Any]]) -> list[Any]:
    """Keys as dicts, tuples or single values."""
    if not isinstance(keys, list) and isinstance(keys, Mapping):
        return [dict(zip(keys, row, strict=True)) for row in zip(*keys.values(), strict=True)]
    return list(keys)


def encode(schema: ViewSchema, rows: Sequence[Any]) -> list[bytes]:
    """Keys as a view's own bytes. LimnerError for a join key that is missing or of another type."""
    simple = schema.encode_simple(rows) if schema.simple else None
    if simple is not None:
        return simple
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
            encoded.append(schema.encode(row if isinstance(row, tuple | list) else (row,)))
    return encoded

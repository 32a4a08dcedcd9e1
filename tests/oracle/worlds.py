"""Generated worlds for the program: specs from documents, tables as files, an encoder that is a hash."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from limner.language.models import DOCUMENTS
from limner.language.repo import Specs
from tests.oracle.cleaning import Table
from tests.oracle.encoders import Encoders
from tests.oracle.generate import Case
from tests.oracle.oracle import Oracle

ARROW = {
    "int": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
}


def specs_of(docs: Sequence[Mapping[str, Any]]) -> Specs:
    """The documents as the loader would read them."""
    read: dict[str, dict[str, Any]] = {kind: {} for kind in DOCUMENTS}
    raw = {}
    for doc in docs:
        kind = next(kind for kind in DOCUMENTS if kind in doc)
        read[kind][doc[kind]] = DOCUMENTS[kind].model_validate(doc)
        raw[kind, doc[kind]] = dict(doc)
    return Specs(
        entities=read["entity"],
        sources=read["source"],
        encoders=read["encoder"],
        views=read["feature_view"],
        profiles=read["profile"],
        raw=raw,
    )


def settle(case: Case) -> None:
    """Let an encoder that would find nothing to learn hash terms instead."""
    specs = specs_of(case.docs)
    encoders = Encoders(specs.encoders, specs.sources, case.tables)
    for doc in case.docs:
        tfidf = specs.encoders[doc["encoder"]].tfidf if "encoder" in doc else None
        if tfidf is not None and not encoders.learned(doc["encoder"], tfidf):
            del doc["tfidf"]
            doc["hashing"] = {"features": tfidf.features}


def oracle_of(case: Case, specs: Specs, view: str) -> Oracle:
    """The oracle of one view of a case."""
    spec = specs.views[view]
    keys = list(specs.entities[spec.entity].join_keys)
    vectors = Encoders(specs.encoders, specs.sources, case.tables)
    return Oracle(spec, keys, specs.sources, case.tables, encoders=specs.encoders, vector_of=vectors)


def arrow_of(table: Table) -> pa.Table:
    """The raw rows as a user would have written them to Parquet."""
    columns = {}
    for name, kind in table.types.items():
        values = [row[name] for row in table.rows]
        if kind == "timestamp[ns]":  # 999 nanoseconds more, which must not matter
            values = [None if v is None else _nanos(v) + 999 for v in values]
            columns[name] = pa.array(values, pa.int64()).cast(pa.timestamp("ns"))
        else:
            columns[name] = pa.array(values, _arrow_type(kind))
    return pa.table(columns)


def _nanos(moment: datetime) -> int:
    return pa.scalar(moment, pa.timestamp("us")).cast(pa.int64()).as_py() * 1000  # type: ignore[no-any-return]


def _arrow_type(kind: str) -> pa.DataType:
    if kind.startswith("timestamp["):
        unit, _, zone = kind[len("timestamp[") : -1].partition(", ")
        return pa.timestamp(unit, zone or None)
    return pa.type_for_alias(kind)


def exact(table: pa.Table) -> bytes:
    """The table's bytes: -0.0 is not 0.0 here."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(table.to_pylist(), table.schema)  # no offsets, no leftovers under nulls
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())

"""Packed rows that differ, made out for people: by feature, with an example of each."""

import struct
from dataclasses import dataclass

from limner.language.errors import LimnerError
from limner.workers.differences import Differences, Example
from limner.workers.online.schema import ViewSchema

Row = tuple[int, bytes]  # event timestamp (µs UTC) and packed value
INSTANT = "event_timestamp"


@dataclass(frozen=True)
class Wrong:
    """What was found online of an entity (its encoded key) and what should be there; None: no row."""

    key: bytes
    found: Row | None
    right: Row | None


def count(differences: Differences, schema: ViewSchema, wrong: Wrong, seen: set[bytes] | None = None) -> None:
    """Add a row to the differences; equal ones are left out. `seen` are entities that were counted already."""
    if wrong.found == wrong.right:
        return
    names = _names(differences, schema, wrong)
    differences.rows += 1
    if seen is None or wrong.key not in seen:
        differences.entities += 1
    if seen is not None:
        seen.add(wrong.key)
    for name in names:
        if name not in differences.examples:
            differences.examples[name] = _example(schema, wrong, name)


def _names(differences: Differences, schema: ViewSchema, wrong: Wrong) -> list[str]:
    """Count what is wrong: features by name, `event_timestamp` where only that differs, or `missing`, or `strange`."""
    if wrong.found is None:
        differences.missing += 1
        return ["missing"]
    if wrong.right is None:
        differences.strange += 1
        return ["strange"]
    names = [
        column.name
        for place, column in enumerate(schema.columns)
        if _raw(schema, wrong.found[1], place) != _raw(schema, wrong.right[1], place)
    ] or [INSTANT]
    differences.features.update(names)
    return names


def _raw(schema: ViewSchema, value: bytes, place: int) -> bytes | None:
    try:
        schema.layout.check(value)
        return schema.layout.raw(value, place)
    except (LimnerError, struct.error):
        return b"damaged"


def _example(schema: ViewSchema, wrong: Wrong, name: str) -> Example:
    entity = dict(zip((key for key, _ in schema.keys), schema.decode(wrong.key), strict=True))
    stamped = wrong.right or wrong.found
    assert stamped is not None
    return Example(entity, stamped[0], *(_told(schema, row, name) for row in (wrong.found, wrong.right)))


def _told(schema: ViewSchema, row: Row | None, name: str) -> object:
    """A feature of a row as a Python value, or all of them by name."""
    if row is None:
        return None
    if name == INSTANT:
        return row[0]
    layout = schema.layout
    try:
        layout.check(row[1])
        if name in layout.index:
            return layout.get(row[1], layout.index[name])
        return {column.name: layout.get(row[1], place) for place, column in enumerate(schema.columns)}
    except (LimnerError, struct.error, ValueError) as error:
        return str(error)

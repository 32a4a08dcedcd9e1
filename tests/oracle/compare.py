"""What a history says at an instant, and whether it is what the oracle says."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from limner.language.derived_base import Derived
from limner.language.features import Vector
from limner.language.models import Grid
from limner.language.outputs import Output
from tests.oracle.generate import Case
from tests.oracle.instants import last_tick, to_micros
from tests.oracle.oracle import Key, Oracle


class Timeline:
    """The rows of a history by entity."""

    def __init__(self, tables: Sequence[pa.Table], keys: Sequence[str]) -> None:
        self.rows: dict[Key, list[tuple[int, dict[str, Any]]]] = {}
        for row in (row for table in tables for row in table.to_pylist()):
            key = tuple(row.pop(name) for name in keys)
            self.rows.setdefault(key, []).append((to_micros(row.pop("event_timestamp")), row))

    def at(self, instant: int, key: Key) -> dict[str, Any] | None:
        """The row an as-of join finds."""
        rows = self.rows.get(key, [])
        place = bisect_right([at for at, _ in rows], instant)
        return rows[place - 1][1] if place else None


def check_values(timeline: Timeline, oracle: Oracle, outputs: Sequence[Output], instants: Iterable[int]) -> None:
    """At each instant and for each entity the history says what the oracle says of the last tick."""
    grid, places = oracle.view.grid, sorted(set(instants))
    for key in {*oracle.entities, *timeline.rows}:
        for instant in places:
            tick = last_tick(grid, instant)
            expected, found = oracle.at(tick, key), timeline.at(instant, key)
            where = f"{oracle.view.feature_view} of {key} at {instant} (tick {tick})"
            assert (found is None) == (expected is None), f"{where}: {found}, the oracle says {expected}"
            if expected is not None and found is not None:
                check_row(found, expected, outputs, where)


def check_row(found: Mapping[str, Any], expected: Mapping[str, Any], outputs: Sequence[Output], where: str) -> None:
    """Every output is the oracle's: floats exactly, vectors to the last bits of a float32."""
    assert sorted(expected) == sorted(output.name for output in outputs), where
    for output in outputs:
        a, b = found[output.name], expected[output.name]
        assert same(output, a, b), f"{where}: {output.name} is {a!r}, the oracle says {b!r}"


def same(output: Output, found: Any, expected: Any) -> bool:
    """Whether two values of one output are equal, types included."""
    if found is None or expected is None:
        return found is expected
    if isinstance(output.feature, Derived) and not _embeds(output):
        return bool(found == expected)
    if output.type.dim is not None:
        return len(found) == len(expected) and all(
            abs(a - b) <= 1e-6 * max(1, abs(b)) for a, b in zip(found, expected, strict=True)
        )
    if output.type.map:
        # Arrow's maps are lists of entries, sorted by key; Feast's are mappings in no order.
        entries = list(found.items()) if isinstance(found, dict) else found
        ordered = isinstance(found, dict) or [key for key, _ in found] == list(expected)
        return ordered and dict(entries).keys() == expected.keys() and all(
            _equal(output.type.base, value, expected[key]) for key, value in entries
        )  # fmt: skip
    if output.type.list:
        return len(found) == len(expected) and all(
            _equal(output.type.base, a, b) for a, b in zip(found, expected, strict=True)
        )
    return _equal(output.type.base, found, expected)


def _embeds(output: Output) -> bool:
    """Whether there are pooled vectors in it, whose last bits the oracle does not have."""
    return isinstance(output.feature, Vector) and any(hasattr(part, "embedding") for part in output.feature.vector)


def _equal(base: str, found: Any, expected: Any) -> bool:
    kinds = {"int": int, "float": float, "string": str, "bool": bool, "timestamp": datetime}
    if type(found) is not kinds[base]:
        return False
    return bool(found == (float(expected) if base == "float" else expected)) and (
        isinstance(expected, bool) == (base == "bool")
    )


def check_changes(timeline: Timeline, grid: Grid, start: int, end: int) -> None:
    """Rows stand at ticks of (start, end] (or the last tick before), and each one changes something."""
    begin = last_tick(grid, start)
    for key, rows in timeline.rows.items():
        for place, (at, row) in enumerate(rows):
            assert last_tick(grid, at) == at, f"{key}: a row at {at}, which is no tick"
            assert begin <= at <= end, f"{key}: a row at {at}, outside of ({start}, {end}]"
            if place:
                assert rows[place - 1][0] < at, f"{key}: rows at {at} are out of order"
                assert rows[place - 1][1] != row, f"{key}: the row at {at} changes nothing"


def interesting(case: Case, oracle: Oracle) -> set[int]:
    """Where to look: the ticks, every place where something may change and its neighbours, the probes."""
    step = oracle.view.grid.step
    found = {case.start, case.end, *case.cuts, *case.probes}
    if step is not None:
        tick = last_tick(oracle.view.grid, case.start) + step
        found |= set(range(tick, case.end + 1, max(step, (case.end - case.start) // 50 // step * step)))
    else:
        changes = {at for key in oracle.entities for at in oracle.changes(key)}
        found |= {near for at in changes for near in (at - 1, at, at + 1)}
    return {at for at in found if case.start <= at <= case.end}

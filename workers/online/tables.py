"""A view or profile as an Arrow table, of one state of the online values."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from limner.workers.online.batches import EVENT_TIMESTAMP
from limner.workers.online.database import Snapshot
from limner.workers.online.reading import Rows
from limner.workers.online.requests import Request, answer, requested
from limner.workers.online.selection import Selection, select
from limner.workers.request.evaluate import Encode
from limner.workers.request.program import Program


def table_of(
    snapshot: Snapshot, name: str, keys: list[Any], features: list[str] | None, request: Request | None, encode: Encode
) -> tuple[pa.Table, list[bool]]:
    """As `limner.Store.read` describes it; and of each key, whether anything that was read knows the entity."""
    selection = select(snapshot, name, features)
    rows = Rows(snapshot, selection.served, keys)
    given = requested(selection.fields, request, len(keys), name)
    if selection.form is not None:
        batch = rows.batch(name, selection.form)
        return pa.Table.from_batches([batch]), known(selection, rows)
    columns: dict[str, pa.Array] = {}
    for view in selection.stored:
        if view in selection.served:
            columns |= rows.join_keys(view)
    repeated = selection.repeated
    for view, chosen in selection.members.items():
        arrays = columns_of(view, chosen, rows, selection.programs, given, encode)
        columns |= {f"{view}__{n}" if n in repeated else n: array for n, array in arrays.items()}
        if name == view and view not in selection.programs:
            columns[EVENT_TIMESTAMP] = rows.stamps(view)
    return pa.Table.from_arrays(list(columns.values()), names=list(columns)), known(selection, rows)


def known(selection: Selection, rows: Rows) -> list[bool]:
    """Of each key, whether some view knows the entity."""
    found = [False] * len(rows.keys)
    for view in selection.stored:
        if view in selection.served:
            found = [there or row is not None for there, row in zip(found, rows.of(view), strict=True)]
    return found


def columns_of(
    view: str,
    chosen: Sequence[str],
    rows: Rows,
    programs: Mapping[str, Program],
    given: Mapping[str, pa.Array],
    encode: Encode,
) -> dict[str, pa.Array]:
    """Features of a view or request view, in the order asked for; one that is not yet computed is null."""
    if view in programs:
        return answer(programs[view], chosen, rows, given, encode)
    found = rows.columns(view, chosen)
    return {n: found[n] if n in found else pa.nulls(len(rows.keys)) for n in chosen}

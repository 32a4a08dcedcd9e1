"""Request views over online values: what is stored of an entity and what a request says, in one consistent answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from limner.language.errors import LimnerError
from limner.language.suggest import did_you_mean
from limner.workers.online.pack import Column
from limner.workers.online.reading import Rows
from limner.workers.request.evaluate import Encode, evaluate, needed_steps
from limner.workers.request.fields import columns_of, kind_of
from limner.workers.request.program import Cosine, Operand, Program, reads

Request = Mapping[str, Any] | Sequence[Mapping[str, Any]]  # for all rows, or one a row


def fields_of(programs: Mapping[str, Program], chosen: Mapping[str, Sequence[str]]) -> dict[str, Column]:
    """The fields that a request must bring for the features chosen, by name."""
    found: dict[str, Column] = {}
    for view, features in chosen.items():
        if view in programs:
            needed = _read(programs[view], features)
            found |= {field.name: field for field in programs[view].request if field.name in needed}
    return found


def requested(fields: Mapping[str, Column], request: Request | None, rows: int, name: str) -> dict[str, pa.Array]:
    """The columns of a request. LimnerError for a field that is missing, unknown or of another type."""
    if request is None and not fields:
        return {}
    each = [request or {}] * rows if request is None or isinstance(request, Mapping) else list(request)
    if len(each) != rows:
        raise LimnerError(f"{len(each)} requests for {rows} keys: give one for all of them, or one a key")
    for given in each[:1] if isinstance(request, Mapping) else each:
        for field in given:
            if field not in fields:
                raise LimnerError(f"{name!r} takes no request field {field!r}: {did_you_mean(field, fields)}")
        lacking = [field for field in fields.values() if field.name not in given]
        if lacking:
            every = ", ".join(f"{field.name} ({kind_of(field)})" for field in fields.values())
            raise LimnerError(f"{name!r} needs the request field {lacking[0].name!r}; it takes {every}")
    return columns_of(each, list(fields.values()))


def answer(
    program: Program, features: Sequence[str], rows: Rows, request: Mapping[str, pa.Array], encode: Encode
) -> dict[str, pa.Array]:
    """The chosen features of a request view, a column each, in the order asked for.

    What a view has not yet computed is null. So is a cosine with a text where the stored vectors are still those of
    another encoder: vectors of two encoders never meet.
    """
    needed = _read(program, features)
    columns = _columns([operand for operand in program.operands if operand.name in needed], rows)
    columns |= {field.name: request[field.name] for field in program.request if field.name in needed}
    absent = {step.name for step in program.steps if isinstance(step, Cosine) and _of_another_encoder(step, rows)}
    found = evaluate(program, columns, encode, features, absent)
    return {name: found[name] for name in features}


def _of_another_encoder(step: Cosine, rows: Rows) -> bool:
    if step.encoder is None:
        return False
    declared = rows.declared(*step.of.split(".", 1))
    return declared is not None and declared.encoder != step.encoder.fingerprint


def _read(program: Program, features: Sequence[str]) -> set[str]:
    needed = needed_steps(program, features)
    return {name for step in program.steps if step.name in needed for name in reads(step)}


def _columns(operands: Sequence[Operand], rows: Rows) -> dict[str, pa.Array]:
    views = dict.fromkeys(operand.view for operand in operands)
    found = {view: rows.columns(view, [o.column.name for o in operands if o.view == view]) for view in views}
    return {o.name: _column(found[o.view].get(o.column.name), o.column.arrow, rows) for o in operands}


def _column(found: pa.Array | None, kind: pa.DataType, rows: Rows) -> pa.Array:
    if found is None:
        return pa.nulls(len(rows.keys), kind)
    try:
        return found.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # of another type before the next run
        return pa.nulls(len(rows.keys), kind)

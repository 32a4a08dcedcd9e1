"""Request views in training sets: computed on Arrow columns, row for row, instead of by Feast on Python lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from feast import OnDemandFeatureView

from limner.feature_repo.on_demand import program_of
from limner.feature_repo.point_in_time import Joiner, Wanted
from limner.language.errors import LimnerError
from limner.workers.history.version import read_version
from limner.workers.request.evaluate import evaluate, needed_steps
from limner.workers.request.fields import kind_of, typed
from limner.workers.request.program import Cosine, Program, TextEncoder, reads
from limner.workers.request.texts import TextEncoders

Joined = Mapping[tuple[str, str], pa.Array | pa.ChunkedArray]  # (view, feature) -> its column


@dataclass(frozen=True)
class Computed:
    """A request view that is asked for: its features, and the names they get."""

    program: Program
    features: tuple[str, ...]
    prefix: str


def split(
    views: Sequence[OnDemandFeatureView], refs: Sequence[str], *, full_names: bool
) -> tuple[list[Computed], list[OnDemandFeatureView]]:
    """Our request views with the features asked for, and the on-demand views that are not ours."""
    ours, others = [], []
    for view in views:
        program, called = program_of(view), str(view.projection.name_to_use())  # type: ignore[no-untyped-call]
        if program is None:
            others.append(view)
        else:
            names = dict.fromkeys(ref.rsplit(":", 1)[1] for ref in refs if ref.rsplit(":", 1)[0] == called)
            ours.append(Computed(program, tuple(names), f"{called}__" if full_names else ""))
    return ours, others


def compute(
    asked: Computed, rows: pa.Table, joined: Joined, joiner: Joiner, wanted: Mapping[str, Wanted], repo: Path | None
) -> dict[str, pa.Array]:
    """The columns of one request view; `rows` are the entity rows, which carry the request.

    LimnerError for a field that they lack, and where stored vectors are still those of an encoder that was exchanged.
    """
    program = asked.program
    needed = needed_steps(program, asked.features)
    names = {name for step in program.steps if step.name in needed for name in reads(step)}
    columns: dict[str, pa.Array] = {}
    for field in program.request:
        if field.name in names:
            if field.name not in rows.column_names:
                raise LimnerError(
                    f"{program.name!r} needs a column {field.name!r} in the entity rows: {kind_of(field)}"
                )
            columns[field.name] = typed(rows.column(field.name), field)
    for operand in program.operands:
        if operand.name in names:
            column = joined[operand.view, operand.column.name]
            whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            columns[operand.name] = whole.cast(operand.column.arrow)
    for step in program.steps:
        if step.name in needed and isinstance(step, Cosine) and step.encoder is not None:
            _require_encoder(joiner, wanted[step.of.partition(".")[0]], step.encoder)
    found = evaluate(program, columns, TextEncoders(repo), asked.features)
    return {asked.prefix + name: array for name, array in found.items()}


def _require_encoder(joiner: Joiner, wanted: Wanted, encoder: TextEncoder) -> None:
    """The history that this answer reads must be of the encoder that makes the text's vector."""
    history = None if wanted.history is None else joiner.history(wanted.history)
    version = None if history is None else read_version(history.folder)
    if version is not None and encoder.fingerprint not in version.encoders.values():
        raise LimnerError(
            f"the history of {wanted.view!r} is not what was applied last, and a text can only be compared with "
            "vectors of the same encoder: run `feast materialize` first"
        )

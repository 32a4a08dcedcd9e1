"""What of a history must be online: the newest row of each entity, packed as the view's outputs are."""

import hashlib
from collections.abc import Callable, Iterator

import pyarrow as pa

from limner.language.features import Embed
from limner.language.models import KeyType
from limner.language.outputs import Output
from limner.workers.history.latest import latest_rows
from limner.workers.history.manifest import History
from limner.workers.online.database import Generation, Writer
from limner.workers.online.pack import Column
from limner.workers.online.schema import ViewSchema
from limner.workers.plan import ViewPlan

Progress = Callable[[int], object]


def state_of(history: History) -> str:
    """A name for all that a history shows: equal names, equal rows."""
    return hashlib.sha256(history.manifest().model_dump_json().encode()).hexdigest()


def schema_of(plan: ViewPlan) -> ViewSchema:
    """The shape of a view's profiles."""
    return ViewSchema(plan.name, plan.fingerprint, packed_keys(plan), packed_columns(plan))


def packed_columns(plan: ViewPlan) -> tuple[Column, ...]:
    """The columns of a view's profiles."""
    return tuple(
        Column(o.name, o.type.base, o.type.list, o.type.dim, o.type.map, _encoder(plan, o)) for o in plan.outputs
    )


def packed_keys(plan: ViewPlan) -> tuple[tuple[str, KeyType], ...]:
    """The join keys of a view's entity and their types."""
    return tuple(plan.specs.entities[plan.view.entity].join_keys.items())


def load(
    writer: Writer,
    plan: ViewPlan,
    history: History,
    before: str,
    changed: Iterator[pa.RecordBatch],
    progress: Progress | None = None,
    *,
    recorded: Generation | None = None,
) -> int:
    """Bring the online values of a view to the end of its history; return the rows written.

    `changed` holds the newest row of each entity that changed since the history was in the state `before`. It is enough
    where that is what is online; else (another fingerprint, a killed run, a lost store) every entity is written.
    `recorded` is what is online by its own account: then it is taken for that, since the caller will look at every row.
    """
    schema, state, coverage = schema_of(plan), state_of(history), history.coverage()
    assert coverage is not None
    served = recorded or writer.served(plan.name)
    if served is not None and served.schema == schema and served.loaded in {before, state}:
        if served.loaded == state:
            return 0
        return writer.update(served, changed, loaded=state, as_of=coverage[1], progress=progress)
    rows = latest_rows(history, plan.join_keys, coverage[0])
    return writer.replace(schema, rows, loaded=state, as_of=coverage[1], progress=progress)


def _encoder(plan: ViewPlan, output: Output) -> str | None:
    """The fingerprint of the encoder behind a vector of texts."""
    return plan.encoders[output.feature.encoder].fingerprint if isinstance(output.feature, Embed) else None

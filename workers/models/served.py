"""What is served of features made of rows, so that it can be explained: which they are, and an entity's rows of one."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.language.closure import from_closure
from limner.language.derivation import output_names_of
from limner.language.errors import LimnerError
from limner.language.feature_base import FeatureBase
from limner.language.outputs import Output
from limner.workers.history.manifest import History
from limner.workers.history.served import pointers
from limner.workers.history.version import read_version
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.sources.prepare import Prepared, PrepareRequest, prepare
from limner.workers.windows import timeline
from limner.workers.windows.conditions import masks
from limner.workers.windows.entities import blocks

Kinds = tuple[type[FeatureBase], ...]
_ALL = 1 << 62  # rows of a block: an entity is one


def served(root: Path, data: Path, kinds: Kinds, name: str = "") -> list[tuple[ViewPlan, Output]]:
    """All outputs of these kinds that are served, with the plans of their views; with `name`, those called so.

    No other view is planned: what is amiss with its sources or encoders is not asked.
    """
    found = []
    for view, pointer in sorted(pointers(data / "history").items()):
        version = read_version(data / "history" / view / pointer.fingerprint)
        if version is None:
            continue
        specs = from_closure(version.closure)
        features = specs.views[view].features
        some = [key for key, each in features.items() if isinstance(each, kinds)]
        if any(not name or name in output_names_of(features, key) for key in some):
            plan = plan_view(specs, view, root, data)
            outputs = [output for output in plan.outputs if isinstance(output.feature, kinds)]
            found += [(plan, output) for output in outputs if name in ("", output.name)]
    return found


def named(root: Path, data: Path, kinds: Kinds, name: str) -> tuple[ViewPlan, Output] | None:
    """The one called `output` or `view.output`; None where there is none. LimnerError where there are several."""
    view, _, short = name.rpartition(".")
    found = [(plan, output) for plan, output in served(root, data, kinds, short) if view in ("", plan.name)]
    if len(found) > 1:
        several = ", ".join(f"{plan.name}.{short}" for plan, _ in found)
        raise LimnerError(f"several views have {short!r}: give one of {several}")
    return found[0] if found else None


def instant_of(plan: ViewPlan) -> int:
    """The instant (µs) as of which the view is served."""
    coverage = History(plan.folder / plan.fingerprint).coverage()
    assert coverage is not None
    return timeline.tick_at_or_before(plan.view.grid, coverage[1])


def rows_of(
    plan: ViewPlan, output: Output, keys: Mapping[str, int | str], instant: int, folder: str
) -> tuple[pa.Table, Prepared]:
    """An entity's rows that are in the window at the instant, in canonical order, read once more; and what was staged.

    A row that has been removed from its source since is not among them.
    """
    (reading,) = (each for each in plan.readings if each.source == output.source)
    column = plan.digests.get(output.name)
    prepared = prepare(
        PrepareRequest(
            specs=plan.specs,
            source=reading.source,
            join_keys=plan.join_keys,
            columns=reading.columns,
            raw=plan.raw,
            texts={} if column is None else {column: reading.texts[column][0]},
            lower=None if reading.reach is None else instant - reading.reach,
            known_after=instant,  # bad rows were counted by the run
            until=instant,
            total_order=reading.order_matters,
            shards=1,
            root=plan.root,
            stage=Path(folder),
            run_id="why",
            data=Path(folder),
            only=keys,
        )
    )
    table = pq.read_table(prepared.shards[0])
    for name, value in keys.items():
        table = table.filter(pc.equal(table[name], pa.scalar(value, table[name].type)))
    found = next(blocks({reading.source: table}, plan.join_keys, _ALL), None)
    if found is None:
        return table, prepared
    rows = found.sources[reading.source]
    stay = timeline.stays(plan.view.grid, rows.events, {output.window}).windows[output.window]
    there = (stay.enter <= instant) & (instant < stay.leave)
    (mask,) = masks(rows.table, [output.feature.where])
    return rows.table.filter(pa.array(np.asarray(there if mask is None else there & mask))), prepared

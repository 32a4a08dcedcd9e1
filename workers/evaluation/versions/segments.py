"""A version of segments, on those who are known when it is evaluated."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.workers.derive.population import principal, sample
from limner.workers.evaluation.charts import segment_map
from limner.workers.evaluation.compare import Measure, compare
from limner.workers.evaluation.entities import codes
from limner.workers.evaluation.evaluate import Evaluation
from limner.workers.evaluation.versions.asked import Asked, Told
from limner.workers.evaluation.weighted import Array, Metric, mean
from limner.workers.members import text_of
from limner.workers.models.contents import read_segmentation
from limner.workers.models.drawing import examples
from limner.workers.models.instants import DAY
from limner.workers.models.matrix import places
from limner.workers.models.segmentation import NONE, Segmentation

MOST = 2_000
"""At most so many entities are measured: the time of a silhouette grows with the square of their number."""


@dataclass(frozen=True)
class _Known:
    """Who is known at an instant (µs), and what is known of them: `rows` [entities, places], NaN for null."""

    at: int
    keys: list[str]
    rows: Array


def segments(asked: Asked) -> Told:
    """Silhouettes beside those of as many parts along the line on which entities differ most, and of chance.

    LimnerError where fewer than two segments have anybody.
    """
    from threadpoolctl import threadpool_limits

    content = read_segmentation(asked.data, asked.model.model, asked.version.id)
    before = _known(asked, content, asked.version.cut_off, "before")
    now = before if asked.known_by <= asked.version.cut_off else _now(asked, content)
    group, _ = content.assigned(now.rows)
    inside = np.flatnonzero(group >= 0)
    scaled = content.scaling.scaled(now.rows)
    with threadpool_limits(1):  # sums of several threads depend on their number
        some = inside[_some([now.keys[each] for each in inside])]
        if len(np.unique(group[some])) < 2:
            raise LimnerError(
                f"model {asked.model.model}: version {asked.version.id} cannot be measured: at {text_of(now.at)}, "
                f"{len(inside):,} of {len(group):,} entities are in a segment, and not in two of them"
            )
        contenders = _contenders(asked, scaled[some], group[some])
        comparison = compare(contenders, [Measure("silhouette")], some, asked.draws, seed=asked.version.seed)
    names = [each.name for each in content.groups]
    alone = now.at <= asked.version.cut_off
    return Told(
        basis="earlier" if alone else "later",
        evaluation=Evaluation(comparison, ()),
        question=f"Which {asked.model.about} is like which others?",
        facts={
            "learned from": f"{asked.version.examples['learned_from']:,} entities as of the cut-off",
            "measured on": f"{len(some):,} of {len(group):,} entities as of {text_of(now.at)}",
            "segments": _sizes(names, group),
            "since the cut-off": _stayed(content, before, now, group),
        },
        notes=("nothing has come since the cut-off: measured on those it was learned from",) if alone else (),
        charts=(segment_map(scaled[inside], group[inside].astype(np.intp), names, asked.version.seed),),
    )


def _now(asked: Asked, content: Segmentation) -> _Known:
    """As of `known_by`; where the data end before it, as of their end: windows would be empty later on."""
    found = _known(asked, content, asked.known_by, "now")
    return found if found.at == asked.known_by else _known(asked, content, found.at, "end")


def _known(asked: Asked, content: Segmentation, at: int, part: str) -> _Known:
    """At an instant (µs); `at` of the answer is the end of the data where that is a day earlier or more."""
    _, drawn = examples(asked.specs, asked.model, at, asked.root, asked.data, asked.context, asked.stage / part)
    keys = tuple(sorted(asked.specs.entities[asked.model.about].join_keys))
    table = pa.concat_tables([pq.read_table(each.file) for each in drawn])
    table = table.sort_by([(key, "ascending") for key in keys])
    rows = places(content.inputs, content.scaling.dims, table)
    table, rows = table.filter(pa.array(~np.isnan(rows).all(axis=1))), rows[~np.isnan(rows).all(axis=1)]
    newest = max((each.newest for each in drawn if each.newest is not None), default=at)
    which, names = codes(table, keys)
    end = max(newest + 1, asked.version.cut_off)
    return _Known(end if end + DAY <= at else at, [names[each] for each in which], rows)


def _some(keys: list[str]) -> npt.NDArray[np.int64]:
    """The places of those whose keys' SHA-256 is least."""
    table = pa.table({"key": pa.array(keys, pa.string()), "place": np.arange(len(keys))})
    return np.sort(np.asarray(sample(table, ["key"], MOST)["place"].to_numpy(), np.int64))


def _contenders(asked: Asked, rows: Array, group: npt.NDArray[np.int64]) -> dict[str, dict[str, Metric]]:
    line = principal(rows, 1)
    along = (rows - np.array(line.mean)) @ np.array(line.rows[0])
    rank = np.argsort(np.argsort(along, kind="stable"), kind="stable")
    count = len(np.unique(group))
    chance = np.random.default_rng(asked.version.seed).permutation(group)
    said = {
        asked.model.model: group,
        f"{count} parts along one line": rank * count // len(rank),
        "chance": chance,
    }
    return {name: {"silhouette": mean(_silhouettes(rows, each))} for name, each in said.items()}


def _silhouettes(rows: Array, group: npt.NDArray[np.int64]) -> Array:
    """(entities,) between -1 and 1 (P. Rousseeuw, 1987)."""
    from sklearn.metrics import silhouette_samples

    if not 1 < len(np.unique(group)) < len(rows):
        return np.full(len(rows), -1.0)
    return np.asarray(silhouette_samples(rows, group), np.float64)


def _sizes(names: list[str], group: npt.NDArray[np.int64]) -> str:
    counts = np.bincount(group[group >= 0], minlength=len(names)).tolist()
    told = [*zip(names, counts, strict=True), (NONE, int((group < 0).sum()))]
    return ", ".join(f"{name}: {count:,}" for name, count in told if count)


def _stayed(content: Segmentation, before: _Known, now: _Known, group: npt.NDArray[np.int64]) -> str:
    """How many of those known at both instants are in the segment they were in."""
    was = dict(zip(before.keys, content.assigned(before.rows)[0].tolist(), strict=True))
    both = [was[key] == each for key, each in zip(now.keys, group.tolist(), strict=True) if key in was]
    share = f", {np.mean(both):.1%} of them in the segment they were in" if both else ""
    return f"{len(both):,} entities are still known{share}; {len(now.keys) - len(both):,} are new"

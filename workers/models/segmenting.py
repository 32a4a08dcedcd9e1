"""Making a version of segments: entities as of the cut-off are scaled, grouped, and laid beside the version before."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.language.learning import Segments
from limner.workers import report
from limner.workers.derive.population import sample
from limner.workers.derive.values import Array
from limner.workers.members import text_of
from limner.workers.models.clustering import DENSE, METHODS, Clusters, largest_first
from limner.workers.models.contents import read_segmentation
from limner.workers.models.describing import Entities, described
from limner.workers.models.drawing import examples
from limner.workers.models.given import Given, given
from limner.workers.models.making import Making, Trained
from limner.workers.models.matrix import places
from limner.workers.models.scaling import scale
from limner.workers.models.versions import LEARNED, Version, register, registered

MOST, MOST_NUMBERS = 500_000, 20_000_000
"""At most so many entities, and numbers of them, are grouped: of more, those whose keys' SHA-256 is least."""
COMPARED = 2_000
"""So many entities tell how well they are grouped: the time of a silhouette grows with their square."""


@dataclass(frozen=True)
class Segmenting:
    """What a worker process is handed: the files of entities, what they have, and the version before, if any."""

    files: tuple[Path, ...]
    join_keys: tuple[str, ...]
    given: tuple[Given, ...]
    learns: Segments
    version: Version  # without what is found out
    before: str | None
    data: Path


def segments(making: Making) -> Trained:
    """Make the version. LimnerError where there is nobody to group, or nothing to tell groups apart by."""
    learns, model, context = making.model.learns, making.model, making.context
    assert isinstance(learns, Segments)
    before = _before(making)
    _, drawn = examples(making.specs, model, making.cut_off, making.root, making.data, context, making.stage)
    if not any(each.examples for each in drawn):
        raise LimnerError(
            f"model {model.model}: nobody of the population is known by {text_of(making.cut_off)}: "
            "choose a later cut-off"
        )
    context.reporter(report.ExamplesDrawn(model.model, sum(each.examples for each in drawn)))
    task = Segmenting(
        files=tuple(each.file for each in drawn),
        join_keys=making.join_keys,
        given=given(making.specs, model, making.root, making.data),
        learns=learns,
        version=making.version,
        before=before,
        data=making.data,
    )
    made: list[Version] = list(context.workers.map(segment, [task]))
    return Trained(made[0], registered=True)


def _before(making: Making) -> str | None:
    """The version that this one follows. LimnerError where there is a later one: that was not told by this one."""
    name = making.model.model
    found = {key: each for key, each in registered(making.data, name).items() if each.definition == making.definition}
    later = [each for each in found.values() if each.cut_off > making.cut_off]
    if later:
        raise LimnerError(
            f"model {name}: segments keep their numbers from version to version, so versions are made in turn, and "
            f"there is one with cut-off {text_of(later[-1].cut_off)}: choose a later cut-off"
        )
    return next(reversed(found), None)


def segment(task: Segmenting) -> Version:
    """Group, compare with the version before, name and register."""
    from threadpoolctl import threadpool_limits

    entities, found = _entities(task)
    dims = tuple(each.dim for each in task.given)
    scaling = scale(entities.rows, dims, task.learns.scale)
    scaled = scaling.scaled(entities.rows)
    with threadpool_limits(1):  # sums of several threads depend on their number
        try:
            clusters = _clusters(task, entities, scaled)
        except LimnerError as error:
            raise LimnerError(f"model {task.version.model}: {error}") from None
    name, earlier = task.version.model, task.before
    before = (earlier, read_segmentation(task.data, name, earlier)) if earlier is not None else None
    content = described(task.given, scaling, clusters, entities, before)
    written = content.model_dump_json(indent=1).encode()
    version = task.version.model_copy(
        update={
            "data": _digest(task.given, entities),
            "examples": {"found": found, "learned_from": len(entities.rows), "last": task.version.cut_off},
            "metrics": clusters.metrics,
            "notes": (*clusters.notes, *_nulls(task, entities.rows)),
            "files": {LEARNED: hashlib.sha256(written).hexdigest()},
        }
    )
    register(task.data, version, {LEARNED: written})
    return version


def _entities(task: Segmenting) -> tuple[Entities, int]:
    """Those who have some value of what is read, and of how many they are."""
    inputs, dims = [each.name for each in task.given], [each.dim for each in task.given]
    most = min(MOST, MOST_NUMBERS // sum(1 if dim is None else dim for dim in dims))
    found, parts = 0, []
    for file in task.files:  # whoever has one of the least hashes of all has one of the least of his file
        table = pq.read_table(file)
        table = table.filter(pa.array(~np.isnan(places(inputs, dims, table)).all(axis=1)))
        found += len(table)
        parts.append(sample(table, task.join_keys, most))
    table = sample(pa.concat_tables(parts), task.join_keys, most)
    if not len(table):
        raise LimnerError(
            f"model {task.version.model}: of nobody a value of {', '.join(inputs)} is known by "
            f"{text_of(task.version.cut_off)}: choose a later cut-off"
        )
    return Entities(table.select(list(task.join_keys)), places(inputs, dims, table)), found


def _digest(given: tuple[Given, ...], entities: Entities) -> str:
    """sha256 (hex) of the entities and what they have."""
    about = [[(each.name, each.dim) for each in given], entities.keys.to_pydict()]
    found = hashlib.sha256(repr(about).encode())
    found.update(np.ascontiguousarray(entities.rows + 0.0).tobytes())
    return found.hexdigest()


def _clusters(task: Segmenting, entities: Entities, scaled: Array) -> Clusters:
    """The largest first. HDBSCAN looks at some entities only."""
    looked_at, some = scaled, entities.some(COMPARED)
    if task.learns.method == "hdbscan" and len(scaled) > DENSE:
        chosen = entities.some(DENSE)
        looked_at, some = scaled[chosen], np.searchsorted(chosen, some)
    found = METHODS[task.learns.method](looked_at, some, task.learns, task.version.seed)
    group = found.assigned(scaled)
    if task.learns.method == "hdbscan":
        found.metrics["in_none"] = float((group < 0).mean())
    sizes = np.bincount(group[group >= 0], minlength=len(found.reach))
    return largest_first(found, sizes.tolist())


def _nulls(task: Segmenting, rows: Array) -> list[str]:
    """What stands for missing values."""
    often, begin = [], 0
    for each in task.given:
        part = float(np.isnan(rows[:, begin]).mean())
        begin += 1 if each.dim is None else each.dim
        if part > 0:
            often.append(f"{each.name} ({part:.0%})")
    return [f"the median, of vectors the mean, stands for null in {', '.join(often)}"] if often else []

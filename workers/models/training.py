"""From examples to a version: learn on the earlier ones, calibrate on later ones, measure on ones later still.

Labels of neighbouring instants overlap. Whatever is learned from ends before what it is calibrated or measured on
begins, labels included.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.language.learning import Propensity
from limner.workers.derive.population import sample
from limner.workers.derive.values import Array
from limner.workers.models.columns import Column, Place, columns_of, plain, wide, width
from limner.workers.models.examples import AT, LABEL
from limner.workers.models.learned import Learned
from limner.workers.models.learners import CALIBRATIONS, LEARNERS
from limner.workers.models.making import Trained
from limner.workers.models.metrics import measured, separation
from limner.workers.models.versions import LEARNED, Version, register

MOST = 500_000
"""At most so many examples are learned from: of more, those whose keys' and instants' SHA-256 is least."""
CELLS = 40_000_000  # ... and of wide ones only so many that there are not more numbers than these (320 MB)
LATER = 0.2  # the part of the instants that is kept to calibrate, or to measure, on
TOO_GOOD = 0.995
FEW = 10  # examples of a label: of fewer, chance may tell all apart


@dataclass(frozen=True)
class Training:
    """What a worker process is handed: the examples' files, and what to make of them."""

    files: tuple[Path, ...]
    join_keys: tuple[str, ...]
    inputs: tuple[str, ...]
    learns: Propensity
    complete: int  # how long after an instant its label is complete and known, µs
    last: int  # the last instant whose label is complete, µs
    version: Version  # without what is found out
    data: Path
    allow_suspicious: bool


@dataclass(frozen=True)
class Examples:
    """Instants [examples], µs; what is known at them [examples, columns], NaN for null; labels [examples], bool."""

    at: Array
    rows: Array
    label: Array

    def of(self, mask: Array) -> "Examples":
        """Those of a mask."""
        return Examples(self.at[mask], self.rows[mask], self.label[mask])

    @property
    def mixed(self) -> bool:
        """Whether there are both labels."""
        return bool(self.label.any() and not self.label.all())


def table_of(files: Sequence[Path], join_keys: Sequence[str], inputs: Sequence[str], last: int) -> tuple[int, pa.Table]:
    """How many examples there are up to the instant `last` (µs), and those learned from, by instant and key."""
    keys, found, parts = [*join_keys, AT], 0, list[pa.Table]()
    for file in files:  # whatever has one of the least hashes of all has one of the least of its file
        table = pq.read_table(file, filters=pc.field(AT) <= last)
        found += len(table)
        parts.append(sample(table, keys, MOST) if len(table) > MOST else table)
    table = pa.concat_tables(parts)
    table = sample(table, keys, min(MOST, CELLS // max(1, width(inputs, table))))
    return found, table.sort_by([(key, "ascending") for key in (AT, *join_keys)])


def examples_of(table: pa.Table, columns: Sequence[Column]) -> Examples:
    """The examples of a table, in its order."""
    return Examples(
        at=np.asarray(table[AT].to_numpy(), np.int64),
        rows=wide(columns, {each.input: table[each.input] for each in columns}),
        label=np.asarray(table[LABEL].to_numpy(zero_copy_only=False), bool),
    )


def train(task: Training) -> Trained:
    """Learn, measure and register. LimnerError where nothing can be learned."""
    from threadpoolctl import threadpool_limits

    found, table = table_of(task.files, task.join_keys, task.inputs, task.last)
    name = task.version.model
    columns = columns_of(task.inputs, {each: table[each] for each in task.inputs})
    if not columns:
        raise LimnerError(
            f"model {name}: of {', '.join(task.inputs)} nothing is known in any example: see what they hold"
        )
    examples = examples_of(table, columns)
    if not examples.mixed:
        same = "yes" if len(examples.label) and examples.label[0] else "no"
        raise LimnerError(
            f"model {name}: the label of all {len(table):,} examples is {same}, so there is nothing to tell apart: "
            f"look at its `is` and `where`, or choose a later cut-off"
        )
    data = digest(table)
    del table  # what follows takes memory of its own
    with threadpool_limits(1):  # sums of several threads depend on their number
        learned, notes = learn(task, columns, examples)
        metrics, why = _measure(task, columns, examples)
        apart = [separation(examples.rows[:, place], examples.label) for place in range(len(columns))]
    best = int(np.argmax(apart))
    metrics["best_feature_roc_auc"] = apart[best]
    suspicious = _suspicion(metrics, columns[best].name) if _enough(examples) else ""
    content = learned.model_dump_json(indent=1).encode()
    version = task.version.model_copy(
        update={
            "data": data,
            "examples": {
                **task.version.examples,
                "found": found,
                "learned_from": len(examples.at),
                "positive": int(examples.label.sum()),
                "instants": len(np.unique(examples.at)),
                "first": int(examples.at[0]),
                "last": int(examples.at[-1]),
            },
            "metrics": metrics,
            "notes": (*task.version.notes, *_nulls(task, columns, examples), *notes, *why),
            "suspicious": suspicious,
            "files": {LEARNED: hashlib.sha256(content).hexdigest()},
        }
    )
    if suspicious and not task.allow_suspicious:
        return Trained(version, registered=False)
    register(task.data, version, {LEARNED: content})
    return Trained(version, registered=True)


def learn(task: Training, columns: tuple[Column, ...], examples: Examples) -> tuple[Learned, list[str]]:
    """What the earlier examples teach, calibrated on the later ones where there are enough instants; and notes."""
    early, late = _split(examples, task.complete)
    how, notes = task.learns.calibrate, []
    if how != "none" and not (early.mixed and late.mixed):
        notes.append("not calibrated: there are too few instants to learn from earlier ones than one calibrates on")
        how = "none"
    scorer = LEARNERS[task.learns.learner](*_both(examples if how == "none" else early), task.version.seed)
    learned = Learned(inputs=task.inputs, columns=columns, scorer=scorer)
    if how != "none":
        calibration = CALIBRATIONS[how](scorer.score(late.rows), late.label)
        if calibration is None:
            notes.append("not calibrated: its scores do not rank later examples")
        else:
            learned = learned.model_copy(update={"calibration": calibration})
    return learned, notes


def _measure(task: Training, columns: tuple[Column, ...], examples: Examples) -> tuple[dict[str, float], list[str]]:
    """What the same procedure would have been worth, had it been carried out as of an earlier cut-off."""
    early, late = _split(examples, task.complete)
    if not (early.mixed and late.mixed):
        return {}, ["not measured: there are too few instants to keep later ones apart"]
    learned, _ = learn(task, columns, early)
    return measured(learned.probability(late.rows), late.label), []


def _split(examples: Examples, complete: int) -> tuple[Examples, Examples]:
    """Examples whose labels were complete when the last part of the instants began, and those of that part."""
    begin = later_from(examples.at)
    return examples.of(examples.at + complete <= begin), examples.of(examples.at >= begin)


def later_from(at: Array) -> int:
    """The first (µs) of the last part of the instants, which are kept to calibrate, or to measure, on."""
    instants = np.unique(at)
    return int(instants[-max(1, round(LATER * len(instants)))])


def _both(examples: Examples) -> tuple[Array, Array]:
    return examples.rows, examples.label


def _suspicion(metrics: dict[str, float], feature: str) -> str:
    """The input that seems to hold the label itself; empty where nothing is too good to be true."""
    alone = metrics["best_feature_roc_auc"] > TOO_GOOD
    return feature if alone or metrics.get("roc_auc", 0.0) > TOO_GOOD else ""


def _enough(examples: Examples) -> bool:
    """Whether it can hardly be by chance that something tells labels apart."""
    return bool(min(examples.label.sum(), (~examples.label).sum()) >= FEW)


def _nulls(task: Training, columns: Sequence[Column], examples: Examples) -> list[str]:
    """What stands for missing values, where the learner needs something to."""
    if task.learns.learner != "logistic":
        return []
    parts = np.isnan(examples.rows).mean(axis=0).tolist()
    first = [at for at, each in enumerate(columns) if not isinstance(each, Place) or each.place == 0]  # all or none
    often = [f"{columns[at].input} ({parts[at]:.0%})" for at in first if parts[at] > 0]
    return [f"the median stands for null in {', '.join(often)}"] if often else []


def digest(table: pa.Table) -> str:
    """sha256 (hex) of the examples, column by column; what stands under a null is no part of it."""
    found = hashlib.sha256()
    for name in table.column_names:
        column = plain(table[name])
        known = column.drop_null()
        found.update(repr((name, str(column.type))).encode())
        found.update(np.asarray(column.is_valid()).tobytes())
        if pa.types.is_nested(known.type):
            found.update(pc.list_value_length(known).to_numpy(zero_copy_only=False).tobytes())
            known = known.flatten()
        words = pa.types.is_string(known.type) or pa.types.is_large_string(known.type)
        found.update(repr(known.to_pylist()).encode() if words else known.to_numpy(zero_copy_only=False).tobytes())
    return found.hexdigest()

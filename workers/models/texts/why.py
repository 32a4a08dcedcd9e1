"""Which texts moved a feature that is pooled from them: what each says of itself, weighs, and is worth."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.language.closure import from_closure
from limner.language.errors import LimnerError
from limner.language.features import Embed, Scored
from limner.language.outputs import Output
from limner.workers.derive.values import Array
from limner.workers.history.manifest import History
from limner.workers.history.served import pointers
from limner.workers.history.version import read_version
from limner.workers.models.why import key_of
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.shard import stored_vectors
from limner.workers.sources.prepare import PrepareRequest, prepare
from limner.workers.text.scorers import scorer_name
from limner.workers.windows import column as c
from limner.workers.windows import timeline
from limner.workers.windows.conditions import masks
from limner.workers.windows.entities import TIME, blocks

_ALL = 1 << 62  # rows of a block: an entity is one


@dataclass(frozen=True)
class TextPart:
    """One text of the window. `time`: when it happened, µs; `says`: the probability (for a vector: by class; of an
    encoder's vector, nothing); `share` of all weights; `moves`: the value minus what it would be without this text (for
    a vector: how far it moves), None where there is no other text.
    """

    text: str
    time: int
    says: float | dict[str, float] | None
    share: float
    moves: float | None


@dataclass(frozen=True)
class TextsBehind:
    """A pooled value as of `instant` (µs), and the texts it is made of, the one that moves it most first.

    `by`: the model that speaks, with its `version` and `cut_off`, or the encoder, which has none.
    """

    view: str
    feature: str
    by: str
    version: str
    cut_off: int | None
    instant: int
    value: Any
    texts: tuple[TextPart, ...]


def texts_behind(root: Path, data: Path, key: str, feature: str) -> TextsBehind | None:
    """Explain what is served of one entity; None where nothing that is served pools texts under this name.

    `feature` is an output, such as mood_positive_30d, or `view.output`. It reads the entity's rows once more: a text
    that has been removed from its source since is not among them. LimnerError where nothing is known of the entity.
    """
    plan, output = _pooled(root, data, feature)
    if plan is None or output is None:
        return None
    coverage = History(plan.folder / plan.fingerprint).coverage()
    assert coverage is not None
    instant = timeline.tick_at_or_before(plan.view.grid, coverage[1])
    by, encoder, version, cut_off = _speaks(output, instant)
    with tempfile.TemporaryDirectory(prefix="limner-why-") as folder:
        rows, texts = _rows(plan, output, key_of(plan.specs.entities[plan.view.entity].join_keys, key), instant, folder)
    digests = rows[plan.digests[output.name]].combine_chunks().cast(pa.binary(16))
    vectors, found = stored_vectors(plan.data / "embeddings", plan.encoders)(encoder, digests)
    rows, digests, vectors = rows.filter(pa.array(found)), digests.filter(pa.array(found)), vectors[found]
    weights, kept = _weights(output, rows)
    if not len(weights):
        raise LimnerError(f"{output.name} of {key} is made of no text: there is none in its window")
    value, without = _left_out(vectors[kept].astype(np.float64), weights)
    written = dict(zip(texts["digest"].to_pylist(), texts["text"].to_pylist(), strict=True))
    parts = [
        TextPart(
            written[digest],
            time,
            _says(output, said),
            float(weight / weights.sum()),
            None if without is None else _moves(output, value, without[number]),
        )
        for number, (digest, time, said, weight) in enumerate(
            zip(digests.filter(pa.array(kept)).to_pylist(), rows[TIME].filter(pa.array(kept)).to_pylist(),
                vectors[kept], weights, strict=True)
        )
    ]  # fmt: skip
    return TextsBehind(
        view=plan.name,
        feature=output.name,
        by=by,
        version=version,
        cut_off=cut_off,
        instant=instant,
        value=_says(output, value) if isinstance(output.feature, Scored) else value.tolist(),
        texts=tuple(sorted(parts, key=lambda part: (-abs(part.moves or 0.0), -part.time, part.text))),
    )


def pooled_names(root: Path, data: Path) -> list[str]:
    """What can be asked about: `view.output` of all that is served and pooled from texts."""
    return [f"{plan.name}.{output.name}" for plan in _served(root, data) for output in _texts_of(plan)]


def _served(root: Path, data: Path) -> list[ViewPlan]:
    found = []
    for view, pointer in sorted(pointers(data / "history").items()):
        version = read_version(data / "history" / view / pointer.fingerprint)
        if version is None:
            continue
        specs = from_closure(version.closure)
        if any(isinstance(each, Embed | Scored) for each in specs.views[view].features.values()):
            found.append(plan_view(specs, view, root, data))
    return found


def _texts_of(plan: ViewPlan) -> list[Output]:
    return [each for each in plan.outputs if isinstance(each.feature, Embed | Scored)]


def _pooled(root: Path, data: Path, feature: str) -> tuple[ViewPlan | None, Output | None]:
    view, _, name = feature.rpartition(".")
    found = [
        (plan, output)
        for plan in _served(root, data)
        for output in _texts_of(plan)
        if output.name == name and view in ("", plan.name)
    ]
    if len(found) > 1:
        several = ", ".join(f"{plan.name}.{name}" for plan, _ in found)
        raise LimnerError(f"several views have {name!r}: give one of {several}")
    return found[0] if found else (None, None)


def _speaks(output: Output, instant: int) -> tuple[str, str, str, int | None]:
    """The model (or encoder), what it is called among encoders, its version and cut-off."""
    feature = output.feature
    if isinstance(feature, Embed):
        return feature.encoder, feature.encoder, "", None
    assert isinstance(feature, Scored)
    pins = [pin for pin in feature.pins if pin.cut_off <= instant]
    if not pins:
        raise LimnerError(f"model {feature.model} says nothing yet: fit it, `limner apply`, and materialize")
    pin = pins[-1]
    return feature.model, scorer_name(feature.model, pin.version), pin.version, pin.cut_off


def _rows(
    plan: ViewPlan, output: Output, keys: Mapping[str, int | str], instant: int, folder: str
) -> tuple[pa.Table, pa.Table]:
    """The entity's rows that have a text and are in the window at the instant, in canonical order; and the texts."""
    (reading,) = (each for each in plan.readings if each.source == output.source)
    column = plan.digests[output.name]
    prepared = prepare(
        PrepareRequest(
            specs=plan.specs,
            source=reading.source,
            join_keys=plan.join_keys,
            columns=reading.columns,
            raw=plan.raw,
            texts={column: reading.texts[column][0]},
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
    table, texts = pq.read_table(prepared.shards[0]), pq.read_table(prepared.texts[column])
    for name, value in keys.items():
        table = table.filter(pc.equal(table[name], pa.scalar(value, table[name].type)))
    found = next(blocks({reading.source: table}, plan.join_keys, _ALL), None)
    if found is None:
        return table, texts
    rows = found.sources[reading.source]
    stay = timeline.stays(plan.view.grid, rows.events, {output.window}).windows[output.window]
    there = (stay.enter <= instant) & (instant < stay.leave) & np.asarray(pc.is_valid(rows.table[column]))
    (mask,) = masks(rows.table, [output.feature.where])
    return rows.table.filter(pa.array(there if mask is None else there & mask)), texts


def _weights(output: Output, rows: pa.Table) -> tuple[Array, c.Bools]:
    """The weights of those rows that count, and which do."""
    assert isinstance(output.feature, Embed | Scored)
    pooling, kept, weight = output.feature.pooling, np.ones(len(rows), bool), np.ones(len(rows))
    if pooling.weight is not None:
        values, present = c.numbers(rows[pooling.weight].combine_chunks())
        kept, weight = present & (values > 0), np.asarray(values, np.float64)
    if pooling.newest is not None:
        kept[np.flatnonzero(kept)[: -pooling.newest]] = False
    time, weight = rows[TIME].to_numpy()[kept], weight[kept]
    if pooling.half_life is not None and len(time):
        weight = weight * np.exp2((time - time.max()) / pooling.half_life.micros)
    return weight, kept


def _left_out(vectors: Array, weights: Array) -> tuple[Array, Array | None]:
    """The mean, and the mean without each of them: [texts, dim]; None where there is but one."""
    total, mass = weights @ vectors, weights.sum()
    if len(vectors) < 2:
        return total / mass, None
    rest = mass - weights
    some = rest > 0  # not where all others are so old that nothing is left of them
    others = (total - weights[:, None] * vectors) / np.where(some, rest, 1.0)[:, None]
    return total / mass, np.where(some[:, None], others, total / mass)


def _says(output: Output, vector: Array) -> float | dict[str, float] | None:
    feature = output.feature
    if isinstance(feature, Embed):
        return None
    assert isinstance(feature, Scored)
    if feature.place is not None:
        return float(vector[feature.place])
    return {name: float(each) for name, each in zip(feature.classes, vector, strict=True)}


def _moves(output: Output, value: Array, without: Array) -> float:
    place = getattr(output.feature, "place", None)
    return float(value[place] - without[place]) if place is not None else float(np.linalg.norm(value - without))

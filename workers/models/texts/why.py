"""Which texts moved a feature that is pooled from them: what each says of itself, weighs, and is worth."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.language.features import Embed, Scored
from limner.language.outputs import Output
from limner.workers.derive.values import Array
from limner.workers.models.served import instant_of, named, rows_of, served
from limner.workers.models.why import key_of
from limner.workers.text.scorers import scorer_name
from limner.workers.text.vectors import stored_vectors
from limner.workers.windows import column as c
from limner.workers.windows.entities import TIME

KINDS = (Embed, Scored)


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
    asked = named(root, data, KINDS, feature)
    if asked is None:
        return None
    plan, output = asked
    instant = instant_of(plan)
    by, encoder, version, cut_off = _speaks(output, instant)
    column = plan.digests[output.name]
    with tempfile.TemporaryDirectory(prefix="limner-why-") as folder:
        keys = key_of(plan.specs.entities[plan.view.entity].join_keys, key)
        rows, staged = rows_of(plan, output, keys, instant, folder)
        texts = pq.read_table(staged.texts[column])
    rows = rows.filter(pc.is_valid(rows[column]))
    digests = rows[column].combine_chunks().cast(pa.binary(16))
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
    return [f"{plan.name}.{output.name}" for plan, output in served(root, data, KINDS)]


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

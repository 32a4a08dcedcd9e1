"""Carry out a request view over columns: every value depends on its own row alone, never on the rows beside it."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from limner.workers.request.program import Age, Calculation, Cosine, Program, Step, TextEncoder, reads

if TYPE_CHECKING:
    from limner.language.expressions import Expression

Encode = Callable[[TextEncoder, Sequence[str]], Sequence[Any]]
"""A vector for each text by the encoder named; None for a text that it cannot encode."""


def evaluate(
    program: Program,
    columns: Mapping[str, pa.Array],
    encode: Encode,
    wanted: Sequence[str] | None = None,
    absent: Collection[str] = (),
) -> dict[str, pa.Array]:
    """The features of a request view, or those of them that are `wanted`, by name.

    `columns` has every operand (`view.feature`) and every field of the request that the wanted features read, in their
    declared types, row for row. Features in `absent` are null whatever they read.
    """
    needed = needed_steps(program, wanted)
    values = dict(columns)
    kinds = {column.name: column.arrow for column in program.features}
    for step in program.steps:
        if step.name in absent:
            values[step.name] = pa.nulls(len(next(iter(columns.values()))), kinds[step.name])
        elif step.name in needed:
            values[step.name] = _value(step, values, encode).cast(kinds[step.name])
    chosen = kinds if wanted is None else [name for name in kinds if name in wanted]
    return {name: values[name] for name in chosen}


def needed_steps(program: Program, wanted: Sequence[str] | None) -> set[str]:
    """The wanted features, and the earlier ones that they are made of."""
    needed = {step.name for step in program.steps} if wanted is None else set(wanted)
    for step in reversed(program.steps):
        if step.name in needed:
            needed.update(reads(step))
    return needed


def _value(step: Step, values: Mapping[str, pa.Array], encode: Encode) -> pa.Array:
    match step:
        case Age():
            return age(values[step.of], values[step.at], step.unit)
        case Cosine():
            left, right = values[step.of], values[step.other]
            if step.encoder is not None:  # a text that there is nothing to compare with is not encoded
                right = vectors(pc.if_else(left.is_valid(), right, None), step.encoder, encode)
            return cosine(left, right)
        case Calculation():
            return calculated(step, values)


def calculated(step: Calculation, values: Mapping[str, pa.Array]) -> pa.Array:
    """An expression over what it reads."""
    from limner.workers.derive.evaluate import evaluate as calculate

    return calculate(_parsed(step.expression), {name: values[name] for name in step.columns})


@lru_cache(maxsize=1024)
def _parsed(text: str) -> "Expression":
    from limner.language.expressions import Expression

    return Expression(text)


def age(of: pa.Array, at: pa.Array, unit: int) -> pa.Array:
    """`at` - `of` (timestamps, µs) in units of `unit` µs, correctly rounded; null where either is."""
    pairs = zip(of.cast(pa.int64()).to_pylist(), at.cast(pa.int64()).to_pylist(), strict=True)
    return pa.array([None if a is None or b is None else (b - a) / unit for a, b in pairs], pa.float64())


def cosine(left: pa.Array, right: pa.Array) -> pa.Array:
    """The cosine of two columns of float32 vectors, in float64; null where either is null or has length zero.

    dot / sqrt(left² right²), each of the three sums correctly rounded (products of float32 are exact in float64), so
    that a vector has 1 with itself; the quotient is kept within [-1, 1]. Vectors of two lengths, which an encoder
    leaves that has just been exchanged, have none.
    """
    return pa.array([_cosine(*pair) for pair in zip(_rows(left), _rows(right), strict=True)], pa.float64())


Vector = npt.NDArray[np.float64]


def _cosine(left: Vector | None, right: Vector | None) -> float | None:
    if left is None or right is None or len(left) != len(right):
        return None
    lengths = math.sqrt(math.fsum((left * left).tolist()) * math.fsum((right * right).tolist()))
    if lengths == 0:
        return None
    return min(1.0, max(-1.0, math.fsum((left * right).tolist()) / lengths))


def _rows(array: pa.Array) -> list[Vector | None]:
    flat = pc.list_flatten(array).to_numpy(zero_copy_only=False).astype(np.float64)
    found: list[Vector | None] = []
    at = 0
    for length in pc.list_value_length(array).to_pylist():
        found.append(None if length is None else flat[at : at + length])
        at += length or 0
    return found


def vectors(texts: pa.Array, encoder: TextEncoder, encode: Encode) -> pa.Array:
    """Each text's vector; null for a null or blank text, and for one that the encoder cannot encode.

    White space is collapsed and the encoder's prefix put in front, as for the texts of rows. Equal texts are sent once.
    """
    from limner.workers.sources.texts import finished

    done = [None if text is None else finished(text, encoder.prefix) for text in texts.to_pylist()]
    distinct = list(dict.fromkeys(text for text in done if text is not None))
    known: dict[str | None, Any] = dict(zip(distinct, encode(encoder, distinct), strict=True)) if distinct else {}
    return pa.array([known.get(text) for text in done], pa.list_(pa.float32()))

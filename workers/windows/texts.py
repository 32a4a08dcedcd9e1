"""Features made of vectors of texts: those of an encoder, and those that versions of a model give, pooled."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from limner.language.features import Embed, Scored
from limner.workers.text.scorers import scorer_name
from limner.workers.text.vectors import Vectors
from limner.workers.windows import column as c
from limner.workers.windows import pool
from limner.workers.windows.derived import candidates, column_of, last_of
from limner.workers.windows.rows import Rows
from limner.workers.windows.timeline import Stay, Timeline


def embedded(
    feature: Embed | Scored,
    encoder: str,
    column: str,
    rows: Rows,
    selected: c.Bools | None,
    stay: Stay,
    vectors: Vectors,
) -> c.Output:
    """The pooled vectors of one encoder at every place; `column` has the digests."""
    pooling = feature.pooling
    if selected is not None:
        rows = rows.where(selected[rows.index])
    if pooling.weight is not None:
        values, present = c.numbers(rows.table[pooling.weight].take(pa.array(rows.index)))
        rows = rows.where(present & (values > 0))
    rows, ranked = rows.coded(column)
    matrix, found = vectors(encoder, ranked.values)
    kept = found[ranked.code] if len(ranked.code) else np.zeros(0, bool)
    rows, code = rows.where(kept), ranked.code[kept]
    weight = np.ones(len(rows.index))
    if pooling.weight is not None:
        weight = c.numbers(rows.table[pooling.weight].take(pa.array(rows.index)))[0].astype(np.float64)
    texts = pool.Texts(
        entity=rows.entity,
        first=rows.first,
        last=rows.last,
        enter=stay.enter[rows.index],
        leave=stay.leave[rows.index],
        time=rows.time,
        weight=weight,
        vector=code,
    )
    half_life = pooling.half_life.micros if pooling.half_life else None
    return pool.mean(texts, matrix, rows.places, half_life, pooling.newest)


@dataclass(frozen=True)
class Said:
    """What versions of a model say, pooled: `values`, vectors of all classes, and which of them stands at a place."""

    values: pa.Array
    where: c.Ints

    def of(self, place: int | None) -> c.Output:
        """Of one class (by its place), as numbers, or of all of them, as vectors."""
        return column_of(self.values if place is None else _numbers(self.values, place), self.where)


def said(
    feature: Scored,
    column: str | None,
    rows: Rows,
    selected: c.Bools | None,
    stay: Stay,
    vectors: Vectors,
    line: Timeline,
) -> Said:
    """What the version says that speaks at each place, of all rows of the window; null before the first one.

    It is the same for all classes of the feature.
    """
    which = np.searchsorted(np.array(feature.turns, np.int64), line.tick, side="right") - 1
    found = {
        int(number): embedded(
            feature,
            scorer_name(feature.model, feature.pins[number].version),
            column or "",
            rows,
            selected,
            stay,
            vectors,
        )
        for number in np.unique(which)
        if number >= 0
    }
    state = np.full((line.size, 2), -1)
    for number, each in found.items():
        mine = which == number
        known = mine & (each.state >= 0)
        state[known, 0], state[known, 1] = number, each.state[known]
    # Two versions may say the same: a change is where values differ.
    places = np.flatnonzero(candidates([state], line, ()))
    return Said(_taken(found, which[places], places), last_of(places, line))


def _taken(found: dict[int, c.Output], which: c.Ints, chosen: c.Ints) -> pa.Array:
    parts, order = [], []
    kind = pa.list_(pa.float32())
    for number, each in {-1: None, **found}.items():
        mine = np.flatnonzero(which == number)
        parts.append(pa.nulls(len(mine), kind) if each is None else each.take(chosen[mine]).cast(kind))
        order.append(mine)
    back = np.argsort(np.concatenate(order), kind="stable")
    return pa.concat_arrays(parts).take(pa.array(back))


def _numbers(vectors: pa.Array, place: int) -> pa.Array:
    """One number of each vector."""
    null = np.asarray(vectors.is_null())
    found = np.zeros(len(vectors))
    if not null.all():
        some = vectors.drop_null()
        found[~null] = some.flatten().to_numpy(zero_copy_only=False).reshape(len(some), -1)[:, place]
    return pa.array(found, mask=null)

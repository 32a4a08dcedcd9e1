"""Kinds that pick values: the best of the spans that cover a place."""

import numpy as np
import pyarrow as pa

from limner.language import features as f
from limner.workers.windows import column as c
from limner.workers.windows import cover
from limner.workers.windows.rows import Ints, Rows


def extreme(feature: f.Min | f.Max, rows: Rows) -> c.Output:
    """The least or greatest value."""
    assert feature.column is not None
    rows, ranked = rows.coded(feature.column)
    flip = len(ranked.values) - 1 if isinstance(feature, f.Min) else None
    priority = ranked.code if flip is None else flip - ranked.code
    won = cover.best(rows.first, rows.last, priority, rows.places)
    if flip is not None:
        won = np.where(won < 0, won, flip - won)
    return c.of_codes(won, ranked, feature.default)


def edge(feature: f.First | f.Last, rows: Rows) -> c.Output:
    """The oldest or newest value that is not null."""
    assert feature.column is not None
    rows, ranked = rows.coded(feature.column)
    order = np.arange(len(rows.index))
    priority = order if isinstance(feature, f.Last) else len(order) - 1 - order
    won = cover.best(rows.first, rows.last, priority, rows.places)
    if isinstance(feature, f.First):
        won = np.where(won < 0, won, len(order) - 1 - won)
    return c.of_codes(_take(ranked.code, won), ranked, feature.default)


def latest(feature: f.Latest, rows: Rows) -> c.Output:
    """The newest row's value."""
    column = rows.table[feature.latest].take(pa.array(rows.index))
    ranked = c.numbered(column) if pa.types.is_nested(column.type) else c.coded(column)
    won = cover.best(rows.first, rows.last, np.arange(len(rows.index)), rows.places)
    return c.of_codes(_take(ranked.code, won), ranked, feature.default)


def _take(code: Ints, row: Ints) -> Ints:
    if not len(code):
        return row
    return np.where(row < 0, -1, code[row])

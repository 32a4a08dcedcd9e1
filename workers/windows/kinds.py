"""One function a feature kind: rows and the places each counts at, to the feature's values at every place."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

from limner.language import features as f
from limner.language.errors import LimnerError
from limner.language.feature_base import FeatureBase
from limner.workers.windows import column as c
from limner.workers.windows import cover, exact

Ints = c.Ints
Bools = c.Bools


@dataclass(frozen=True)
class Rows:
    """Rows of a feature that are visible somewhere, and their spans of places, in canonical order."""

    table: pa.Table
    index: Ints  # [visible] positions in `table`
    first: Ints  # [visible]
    last: Ints  # [visible]
    places: int
    entity: Ints  # [visible]

    def where(self, mask: Bools) -> "Rows":
        """The rows where `mask` (shape [visible]) holds."""
        return Rows(self.table, self.index[mask], self.first[mask], self.last[mask], self.places, self.entity[mask])

    def total(self, values: exact.Limbs) -> exact.Limbs:
        """Exact running sums of the rows' values."""
        return exact.spans(values, self.first, self.last, self.places)

    def count(self) -> Ints:
        """Number of rows at each place."""
        return _running(self.first, self.last, self.places)

    def numbers(self, name: str) -> tuple["Rows", exact.Limbs, bool]:
        """The rows whose numeric column is not null, their exact values, and whether they are integers."""
        values, present = c.numbers(self.table[name].take(pa.array(self.index)))
        integers = values.dtype == np.int64
        limbs = (
            exact.of_ints(cast(Ints, values[present])) if integers else exact.of_floats(cast(c.Floats, values[present]))
        )
        return self.where(present), limbs, integers

    def coded(self, name: str) -> tuple["Rows", c.Coded]:
        """The rows whose column is not null, and their ranks."""
        ranked = c.coded(self.table[name].take(pa.array(self.index)))
        present = ranked.code >= 0
        return self.where(present), c.Coded(ranked.code[present], ranked.values)


def _running(first: Ints, last: Ints, places: int) -> Ints:
    delta = np.bincount(first, minlength=places + 1) - np.bincount(last, minlength=places + 1)
    return np.cumsum(delta[:places])


def _count(feature: f.Count, rows: Rows) -> c.Output:
    if feature.distinct:
        return _distinct(feature, rows)
    if feature.column is not None:
        rows = rows.where(np.asarray(rows.table[feature.column].take(pa.array(rows.index)).is_valid()))
    return c.of_ints(rows.count())


def _distinct(feature: f.Count | f.Distinct, rows: Rows) -> c.Output:
    """A value counts where any of its rows does: the union of the spans of equal values of an entity."""
    assert feature.column is not None
    rows, ranked = rows.coded(feature.column)
    group = rows.entity * (len(ranked.values) + 1) + ranked.code
    order = np.lexsort((rows.first, group))
    first, last, group = rows.first[order], rows.last[order], group[order]
    # Spans of one entity end before those of the next begin, but values of one entity interleave: an offset a
    # group keeps the running maximum of `last` from leaking into the next group.
    fresh = np.ones(len(group), bool)
    fresh[1:] = group[1:] != group[:-1]
    offset = (np.cumsum(fresh) - 1) * (rows.places + 1)
    reach = np.maximum.accumulate(last + offset) if len(last) else last
    start = fresh.copy()
    start[1:] |= first[1:] + offset[1:] > reach[:-1]
    head = np.flatnonzero(start)
    ends = np.append(head[1:], len(start)) - 1 if len(head) else head
    return c.of_ints(_running(first[head], (reach - offset)[ends], rows.places))


def _sum(feature: f.Sum, rows: Rows) -> c.Output:
    kept, values, integers = rows.numbers(feature.sum)
    total = kept.total(values)
    if integers:
        return c.of_ints(_int64(feature.sum, total))
    return c.of_floats(exact.to_floats(total), np.ones(rows.places, bool), None)


def _int64(name: str, total: exact.Limbs) -> Ints:
    values, fits = exact.to_int64(total)
    if not fits.all():
        raise LimnerError(
            f"a sum of {name} does not fit in 64 bits: `clean: {{cast: {{{name}: float}}}}` makes it a float"
        )
    return values


def _mean(feature: f.Mean, rows: Rows) -> c.Output:
    rows, values, _ = rows.numbers(feature.mean)
    count = rows.count()
    total = exact.to_floats(rows.total(values))
    return c.of_floats(total / np.maximum(count, 1), count > 0, feature.default)


def _std(feature: f.Std, rows: Rows) -> c.Output:
    """Sample variance as an exact fraction: (n * sum of squares - square of sum) / (n * (n - 1))."""
    rows, values, _ = rows.numbers(feature.std)
    count = rows.count()
    linear, squared = rows.total(values), rows.total(exact.square(values))
    result = np.zeros(rows.places)
    several = np.flatnonzero(count > 1)
    shift = -2 * values.exponent
    sums = exact.to_integers(exact.Limbs(linear.limb[:, several], 0))
    squares = exact.to_integers(exact.Limbs(squared.limb[:, several], 0))
    for place, n, total, square in zip(several, count[several].tolist(), sums, squares, strict=True):
        top, bottom = n * square - total * total, n * (n - 1)
        result[place] = _root(top, bottom << shift) if shift >= 0 else _root(top << -shift, bottom)
    return c.of_floats(result, count > 1, feature.default)


def _root(top: int, bottom: int) -> float:
    """The square root of top / bottom, rounded once (to an odd last bit first, as CPython's statistics does)."""
    if not top:
        return 0.0
    shift = (top.bit_length() - bottom.bit_length() - 109) // 2
    top, bottom = (top, bottom << 2 * shift) if shift >= 0 else (top << -2 * shift, bottom)
    root = math.isqrt(top // bottom)
    root |= root * root * bottom != top
    return float(root << shift) if shift >= 0 else root / (1 << -shift)


def _share(feature: f.Share, rows: Rows, selected: Bools) -> c.Output:
    if feature.column is None:
        part, whole = rows.where(selected).count().astype(np.float64), rows.count().astype(np.float64)
    else:
        kept, values, _ = rows.numbers(feature.column)
        chosen = selected[np.isin(rows.index, kept.index, assume_unique=True)]
        whole = exact.to_floats(kept.total(values))
        part = exact.to_floats(kept.where(chosen).total(exact.Limbs(values.limb[:, chosen], values.exponent)))
    present = whole != 0
    return c.of_floats(part / np.where(present, whole, 1.0), present, feature.default)


def _extreme(feature: f.Min | f.Max, rows: Rows) -> c.Output:
    assert feature.column is not None
    rows, ranked = rows.coded(feature.column)
    flip = len(ranked.values) - 1 if isinstance(feature, f.Min) else None
    priority = ranked.code if flip is None else flip - ranked.code
    won = cover.best(rows.first, rows.last, priority, rows.places)
    if flip is not None:
        won = np.where(won < 0, won, flip - won)
    return c.of_codes(won, ranked, feature.default)


def _edge(feature: f.First | f.Last, rows: Rows) -> c.Output:
    assert feature.column is not None
    rows, ranked = rows.coded(feature.column)
    order = np.arange(len(rows.index))
    priority = order if isinstance(feature, f.Last) else len(order) - 1 - order
    won = cover.best(rows.first, rows.last, priority, rows.places)
    if isinstance(feature, f.First):
        won = np.where(won < 0, won, len(order) - 1 - won)
    return c.of_codes(_take(ranked.code, won), ranked, feature.default)


def _latest(feature: f.Latest, rows: Rows) -> c.Output:
    ranked = c.coded(rows.table[feature.latest].take(pa.array(rows.index)))
    won = cover.best(rows.first, rows.last, np.arange(len(rows.index)), rows.places)
    return c.of_codes(_take(ranked.code, won), ranked, feature.default)


def _take(code: Ints, row: Ints) -> Ints:
    if not len(code):
        return row
    return np.where(row < 0, -1, code[row])


def _top(feature: f.Top, rows: Rows) -> c.Output:
    """Between two changes of its count a category is one span of priority (count, value): cover finds the k best."""
    rows, ranked = rows.coded(feature.of)
    width = len(ranked.values) + 1
    group = np.concatenate([rows.entity, rows.entity]) * width + np.concatenate([ranked.code, ranked.code])
    place = np.concatenate([rows.first, rows.last])
    sign = np.repeat([1, -1], len(rows.first))
    order = np.lexsort((place, group))
    group, place, running = group[order], place[order], np.cumsum(sign[order])
    # Every group's signs sum to 0, so the running count restarts by itself; the last change at a place counts.
    follows = np.zeros(len(group), bool)
    follows[:-1] = (group[1:] == group[:-1]) & (place[1:] > place[:-1])
    span = np.flatnonzero(follows & (running > 0))
    bits = max(1, int(width).bit_length())
    priority = (running[span] << bits) | ((1 << bits) - 1 - group[span] % width)
    won = cover.best_k(place[span], place[span + 1], priority, rows.places, feature.top)
    return c.of_code_lists(np.where(won < 0, -1, (1 << bits) - 1 - (won & ((1 << bits) - 1))), ranked, feature.default)


_PLAIN: dict[type[FeatureBase], Callable[[Any, Rows], c.Output]] = {
    f.Count: _count,
    f.Distinct: _distinct,
    f.Sum: _sum,
    f.Mean: _mean,
    f.Std: _std,
    f.Min: _extreme,
    f.Max: _extreme,
    f.First: _edge,
    f.Last: _edge,
    f.Latest: _latest,
    f.Top: _top,
}


def evaluate(feature: FeatureBase, rows: Rows, selected: Bools | None) -> c.Output:
    """Values of one feature (any kind but `embed`). `selected` (shape [visible]): where its condition holds."""
    if isinstance(feature, f.Share):
        assert selected is not None
        return _share(feature, rows, selected)
    if selected is not None:
        rows = rows.where(selected)
    return _PLAIN[type(feature)](feature, rows)

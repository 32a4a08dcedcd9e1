"""Kinds about how often each value of a column occurs in a window."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from limner.language import features as f
from limner.workers.windows import column as c
from limner.workers.windows import cover, exact
from limner.workers.windows.rows import Ints, Rows, running


@dataclass(frozen=True)
class Counts:
    """Spans of places over which a value occurs equally often; all arrays have shape [spans]."""

    first: Ints
    last: Ints
    code: Ints
    count: Ints  # at least 1


def counts(rows: Rows, column: c.Coded) -> Counts:
    """How often each value occurs where; `rows` have a value, `column` are their codes."""
    width = len(column.values) + 1
    group = np.tile(rows.entity * width + column.code, 2)
    place = np.concatenate([rows.first, rows.last])
    sign = np.repeat([1, -1], len(rows.first))
    order = np.lexsort((place, group))
    group, place, occurs = group[order], place[order], np.cumsum(sign[order])
    # Every group's signs sum to 0, so the running count restarts by itself; the last change at a place counts.
    follows = np.zeros(len(group), bool)
    follows[:-1] = (group[1:] == group[:-1]) & (place[1:] > place[:-1])
    span = np.flatnonzero(follows & (occurs > 0))
    return Counts(place[span], place[span + 1], group[span] % width, occurs[span])


def _most_frequent(rows: Rows, column: c.Coded, k: int) -> Ints:
    """[places, k] codes of the k most frequent values, ties by value; -1 ends a list."""
    found = counts(rows, column)
    bits = max(1, (len(column.values) + 1).bit_length())
    mask = (1 << bits) - 1
    priority = (found.count << bits) | (mask - found.code)
    won = cover.best_k(found.first, found.last, priority, rows.places, k)
    return np.where(won < 0, -1, mask - (won & mask))


def top(feature: f.Top, rows: Rows) -> c.Output:
    """The most frequent values."""
    rows, ranked = rows.coded(feature.of)
    return c.of_code_lists(_most_frequent(rows, ranked, feature.top), ranked, feature.default)


def mode(feature: f.Mode, rows: Rows) -> c.Output:
    """The most frequent value."""
    rows, ranked = rows.coded(feature.mode)
    return c.of_codes(_most_frequent(rows, ranked, 1)[:, 0], ranked, feature.default)


def _each(numbers: Ints, function: Callable[[int], float]) -> c.Floats:
    """The function of each number, one at a time: a vectorized logarithm has other last bits in other batches."""
    distinct, where = np.unique(numbers, return_inverse=True)
    values: c.Floats = np.array([function(number) for number in distinct.tolist()], np.float64)[where]
    return values


def entropy(feature: f.Entropy, rows: Rows) -> c.Output:
    """ln N - (1/N) sum c ln c: each c ln c is rounded, their sum is exact and rounded once."""
    rows, ranked = rows.coded(feature.entropy)
    found = counts(rows, ranked)
    total = rows.count()
    terms = exact.of_floats(_each(found.count, lambda n: n * math.log(n)))
    summed = exact.to_floats(exact.spans(terms, found.first, found.last, rows.places))
    whole = _each(np.maximum(total, 1), math.log)
    values = np.maximum(whole - summed / np.maximum(total, 1), 0.0)
    several = running(found.first, found.last, rows.places) > 1
    return c.of_floats(np.where(several, values, 0.0), total > 0, feature.default)

"""Rows by local hour, weekday or month."""

import numpy as np
import pyarrow as pa

from limner.language import features as f
from limner.language.durations import MICROS
from limner.workers.windows import calendar
from limner.workers.windows import column as c
from limner.workers.windows.rows import Ints, Rows


def histogram(feature: f.Histogram, rows: Rows) -> c.Output:
    """Counts of each bin, or its shares of all."""
    bins = _bins(feature, calendar.local(rows.time, rows.zone))
    changes = rows.changes()
    found = np.zeros((len(changes.at) + 1, feature.bins), np.int32)  # the last row: before anything happened
    for each in range(feature.bins):
        found[:-1, each] = rows.where(bins == each).count()[changes.at]
    total = found.sum(axis=1)
    values = found / np.maximum(total, 1)[:, None] if feature.share else found
    fresh = np.ones(len(values), bool)
    fresh[1:] = (values[1:] != values[:-1]).any(axis=1) | ((total[1:] > 0) != (total[:-1] > 0))

    def take(chosen: Ints) -> pa.Array:
        picked = changes.source[chosen]
        items = pa.array(values[picked].reshape(-1)).cast(pa.float64() if feature.share else pa.int64())
        return _lists(items, feature.bins, pa.array(total[picked] == 0) if feature.share else None)

    return c.Output(np.cumsum(fresh)[changes.source], take)


def _bins(feature: f.Histogram, local: Ints) -> Ints:
    """[rows] the bin of each wall clock (µs since 1970)."""
    if feature.histogram == "hour":
        return local // MICROS["h"] % 24
    days = local // MICROS["d"]
    if feature.histogram == "weekday":
        return (days + 3) % 7  # 1970 began on a Thursday
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12


def _lists(items: pa.Array, length: int, null: pa.Array | None) -> pa.Array:
    offsets = pa.array(np.arange(0, len(items) + 1, length, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, items, mask=null)

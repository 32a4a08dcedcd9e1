"""Rows by local hour, weekday or month."""

import numpy as np
import pyarrow as pa

from limner.language import features as f
from limner.language.durations import MICROS
from limner.workers.windows import calendar
from limner.workers.windows import column as c
from limner.workers.windows.rows import Ints, Rows, running


def histogram(feature: f.Histogram, rows: Rows) -> c.Output:
    """Counts of each bin, or its shares of all."""
    bins = _bins(feature, calendar.local(rows.time, rows.zone))
    found = np.empty((rows.places, feature.bins), np.int64)
    for each in range(feature.bins):
        here = bins == each
        found[:, each] = running(rows.first[here], rows.last[here], rows.places)
    if not feature.share:
        return c.Output(found, lambda chosen: _lists(pa.array(found[chosen].reshape(-1)), feature.bins, None))
    total = found.sum(axis=1)
    shares = found / np.maximum(total, 1)[:, None]

    def take(chosen: Ints) -> pa.Array:
        return _lists(pa.array(shares[chosen].reshape(-1)), feature.bins, pa.array(total[chosen] == 0))

    return c.Output(shares.view(np.int64), take)


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

"""How a column moves: slopes, and a window beside the one before."""

import numpy as np

from limner.language import features as f
from limner.language.durations import MICROS
from limner.workers.windows import column as c
from limner.workers.windows import exact
from limner.workers.windows.rows import Rows


def trend(feature: f.Trend, rows: Rows, before: Rows | None = None) -> c.Output:
    """The slope of a window, or its sum over that of the window before."""
    return _slope(feature, rows) if before is None else _ratio(feature, rows, before)


def _ratio(feature: f.Trend, rows: Rows, before: Rows) -> c.Output:
    part, whole = _total(feature, rows), _total(feature, before)
    with np.errstate(over="ignore", invalid="ignore"):
        values = part / np.where(whole != 0, whole, 1.0)
    present = (whole != 0) & np.isfinite(values)
    return c.of_floats(values, present, feature.default)


def _total(feature: f.Trend, rows: Rows) -> c.Floats:
    if feature.column is None:
        return rows.count().astype(np.float64)
    kept, values, _ = rows.numbers(feature.column)
    return exact.to_floats(kept.total(values))


def _slope(feature: f.Trend, rows: Rows) -> c.Output:
    """(n sum tv - sum t sum v) / (n sum tt - (sum t)^2), exact, per day, rounded once; null where it is no float64."""
    rows, values, _ = rows.numbers(feature.trend)
    # A slope does not depend on when time begins: near the rows, the numbers are small.
    time = exact.of_ints(rows.time - (rows.time.min() if len(rows.time) else 0))
    changes = rows.changes()
    at = changes.at

    def sums(limbs: exact.Limbs) -> list[int]:
        return exact.to_integers(exact.Limbs(rows.total(limbs).limb[:, at], 0))

    result, present = np.zeros(len(at) + 1), np.zeros(len(at) + 1, bool)
    every = zip(
        rows.count()[at].tolist(), sums(time), sums(exact.square(time)), sums(values),
        sums(exact.product(time, values)), strict=True,
    )  # fmt: skip
    up, down = max(values.exponent, 0), max(-values.exponent, 0)
    for place, (n, t, tt, v, tv) in enumerate(every):
        top, bottom = (n * tv - t * v) * MICROS["d"], n * tt - t * t
        if bottom:
            try:
                result[place] = (top << up) / (bottom << down)
                present[place] = True
            except OverflowError:
                continue
    return c.of_floats(result[changes.source], present[changes.source], feature.default)

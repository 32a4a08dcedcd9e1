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
    # A slope does not depend on when time begins: near the rows, the numbers are small. Sums that are handed on from
    # run to run need one beginning for all.
    near = rows.sums is None and len(rows.time)
    time = exact.of_ints(rows.time - (rows.time.min() if near else 0))
    changes = rows.changes()
    at = changes.at
    total, moment = rows.total(values), rows.total(exact.product(time, values))
    exponent = min(total.exponent, moment.exponent)

    def integers(column: exact.Limbs, least: int = 0) -> list[int]:
        found = exact.to_integers(exact.Limbs(column.limb[:, at], 0))
        return [each << column.exponent - least for each in found]

    result, present = np.zeros(len(at) + 1), np.zeros(len(at) + 1, bool)
    every = zip(
        rows.count()[at].tolist(), integers(rows.total(time)), integers(rows.total(exact.square(time))),
        integers(total, exponent), integers(moment, exponent), strict=True,
    )  # fmt: skip
    up, down = max(exponent, 0), max(-exponent, 0)
    for place, (n, t, tt, v, tv) in enumerate(every):
        top, bottom = (n * tv - t * v) * MICROS["d"], n * tt - t * t
        if bottom:
            try:
                result[place] = (top << up) / (bottom << down)
                present[place] = True
            except OverflowError:
                continue
    return c.of_floats(result[changes.source], present[changes.source], feature.default)

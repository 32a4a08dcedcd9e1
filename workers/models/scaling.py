"""What makes features alike in size, before entities are grouped by them."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from limner.workers.derive.values import Array
from limner.workers.models.segmentation import Scaling, logarithms

How = Literal["zscore", "log_zscore", "minmax", "none"]


def scale(rows: Array, dims: Sequence[int | None], how: How) -> Scaling:
    """The scaling of rows [rows, places], NaN for null; `dims`: of each input, None for a number.

    A number is divided by its standard deviation, or by its range. A vector is divided by one number, so that what is
    between its places stays as it is: by the root of the sum of its places' variances, or of their squared ranges.
    """
    scaling = Scaling(dims=tuple(dims), logarithms=how == "log_zscore", fill=(), center=(), width=())
    found = logarithms(rows, scaling.number) if scaling.logarithms else rows
    fill, center, width = (np.zeros(found.shape[1]) for _ in range(3))
    begin = 0
    for dim in dims:
        mine = slice(begin, begin + (1 if dim is None else dim))
        begin = mine.stop
        part = found[:, mine]
        known = part[~np.isnan(part).any(axis=1)]
        if len(known):
            fill[mine] = np.median(known) if dim is None else known.mean(axis=0)
        part = np.where(np.isnan(part), fill[mine], part)
        center[mine], width[mine] = _measured(part, how)
    said = (tuple((each + 0.0).tolist()) for each in (fill, center, width))
    return scaling.model_copy(update=dict(zip(("fill", "center", "width"), said, strict=True)))


def _measured(part: Array, how: How) -> tuple[Array, float]:
    """Of the places of one input, what is taken away from each, and what all are divided by."""
    if how == "none":
        return np.zeros(part.shape[1]), 1.0
    if how == "minmax":
        least = part.min(axis=0)
        return least, float(np.sqrt(((part.max(axis=0) - least) ** 2).sum())) or 1.0
    return part.mean(axis=0), float(np.sqrt(part.var(axis=0).sum())) or 1.0

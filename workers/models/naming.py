"""Names of segments: what sets each apart from all."""

from collections.abc import Collection, Sequence

import numpy as np

from limner.workers.derive.values import Array
from limner.workers.models.given import Place

TOLD, NAMED = 5, 2
"""So many differences are told of a segment, and so many make its name."""
LEAST = 0.5
"""A difference of fewer standard deviations does not make a name."""

Differences = tuple[tuple[Place, float], ...]
"""Places with what they differ by, in standard deviations, the largest first."""


def apart(rows: Array, places: Sequence[Place | None], group: Array, groups: int) -> tuple[Differences, ...]:
    """Of each group, the places whose means differ most from those of all, in standard deviations of all.

    `rows` [rows, places], `group` [rows]. A place without a name is left out, and one where all rows are the same.
    """
    named = np.array([number for number, place in enumerate(places) if place is not None], np.int64)
    width = rows[:, named].std(axis=0)
    named, width = named[width > 0], width[width > 0]
    center = rows[:, named].mean(axis=0)
    found = []
    for each in range(groups):
        mine = rows[group == each][:, named]
        differs = (mine.mean(axis=0) - center) / width if len(mine) else np.zeros(len(named))
        order = np.argsort(-np.abs(differs), kind="stable")[:TOLD]
        chosen = [(places[named[number]], float(round(differs[number], 4))) for number in order]
        found.append(tuple((place, by) for place, by in chosen if place is not None))
    return tuple(found)


def name_of(differences: Differences, number: int, taken: Collection[str]) -> str:
    """A name that no other segment has: `high spend_30d, low orders_7d`.

    What is so or not (`channel: web`, a term of texts) is named where there is more of it than elsewhere.
    """
    parts = []
    for place, by in differences:
        if abs(by) >= LEAST and (place.amount or by > 0):
            parts.append(f"{'high' if by > 0 else 'low'} {place.short}" if place.amount else place.short)
    found = ", ".join(parts[:NAMED]) or ("average" if differences else f"segment {number}")
    return found if found not in taken else f"{found} ({number})"

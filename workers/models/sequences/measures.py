"""How well items are foretold, beside what is hard to beat: what everybody has, and what one has had oneself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.workers.evaluation.bootstrap import Verdict
from limner.workers.evaluation.compare import Measure, compare
from limner.workers.evaluation.weighted import mean
from limner.workers.models.sequences.events import Events, Following
from limner.workers.models.sequences.vocabulary import FIRST
from limner.workers.windows.column import Ints
from limner.workers.windows.spans import expand

Floats = npt.NDArray[np.float64]
K = 10
HALF_LIVES = (7, 30, 90, None)
"""Days; of these, that of own frequency is the one that ranks best what comes before what is measured."""
DRAWS = 200
_DAY = 86_400_000_000
_CELLS = 1 << 22  # scores looked at at a time


@dataclass(frozen=True)
class Ranked:
    """[queries] of the first K items."""

    ndcg: Floats
    recall: Floats
    hit: Floats


def ranked(follows: Following, items: int, scores: Callable[[Ints], Floats]) -> Ranked:
    """How `scores` of some queries, [queries, items], rank what follows. Of equal scores the first item wins.

    NDCG with gains of 0 and 1. What is no item counts as missed.
    """
    where = np.full(len(follows.item), K)
    begin = np.cumsum(follows.count) - follows.count
    step = max(1, _CELLS // max(items, 1))
    for low in range(0, len(follows.row), step):
        some = np.arange(low, min(low + step, len(follows.row)))
        found = scores(some)
        pair, owner = expand(begin[some], follows.count[some])
        item = follows.item[pair] - FIRST
        known = np.flatnonzero(item >= 0)
        own = found[owner[known]]
        mine = own[np.arange(len(known)), item[known]][:, None]
        earlier = np.arange(items) < item[known][:, None]
        where[pair[known]] = ((own > mine) | ((own == mine) & earlier)).sum(axis=1)
    gain = np.where(where < K, 1.0 / np.log2(where + 2.0), 0.0)
    best = np.cumsum(1.0 / np.log2(np.arange(K) + 2.0))
    inside = np.bincount(follows.owner, where < K, len(follows.row))
    return Ranked(
        ndcg=np.bincount(follows.owner, gain, len(follows.row)) / best[np.minimum(follows.count, K) - 1],
        recall=inside / follows.count,
        hit=(inside > 0).astype(np.float64),
    )


def popularity(item: Ints, items: int) -> Floats:
    """[items] how often each was seen."""
    return np.bincount(item[item >= FIRST] - FIRST, minlength=items).astype(np.float64)


def own_frequency(
    events: Events, item: Ints, follows: Following, popular: Floats, half_life: int | None
) -> Callable[[Ints], Floats]:
    """Scores by what an entity has had, which weighs half as much every `half_life` days; then by popularity."""

    def scores(some: Ints) -> Floats:
        first = events.first[follows.row[some]]
        row, owner = expand(first, follows.row[some] - first + 1)
        known = item[row] >= FIRST
        row, owner = row[known], owner[known]
        weight = np.ones(len(row))
        if half_life is not None:
            weight = np.exp2(-(follows.time[some][owner] - events.time[row]) / (half_life * _DAY))
        cells = owner * len(popular) + item[row] - FIRST
        own = np.bincount(cells, weight, len(some) * len(popular)).reshape(len(some), len(popular))
        had = np.bincount(cells, minlength=own.size).reshape(own.shape) > 0
        return np.where(had, own, -1.0 - (popular.max(initial=0.0) - popular))

    return scores


def measured(
    contenders: Mapping[str, Ranked], clusters: Ints, seed: int
) -> tuple[dict[str, float], Mapping[str, Verdict]]:
    """Figures of all, the first being the model, and how its NDCG stands to each of the others'."""
    figures: dict[str, float] = {}
    for name, each in contenders.items():
        prefix = "" if name == "model" else f"{name}_"
        figures |= {
            f"{prefix}ndcg_at_{K}": float(each.ndcg.mean()),
            f"{prefix}recall_at_{K}": float(each.recall.mean()),
            f"{prefix}hit_at_{K}": float(each.hit.mean()),
        }
    if len(np.unique(clusters)) < 2:
        return figures, {name: "ties" for name in contenders if name != "model"}
    found = compare(
        {name: {"NDCG": mean(each.ndcg)} for name, each in contenders.items()},
        [Measure("NDCG")],
        clusters,
        DRAWS,
        seed=seed,
    )
    return figures, {name: each["NDCG"].verdict for name, each in found.differences.items()}

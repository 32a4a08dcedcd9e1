"""Metrics of rankings whose candidates are sparse: a query scores some items, perhaps not all that are relevant.

A query is what is ranked for: a profile at an instant. A relevant item that is no candidate counts in the ideal ranking
and in recall's denominator, so leaving it out costs. Queries with nothing relevant are not measured.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError
from limner.workers.evaluation.weighted import Array

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """Candidates, one a row: query, item (ids, any integers) and score. No (query, item) twice, in any order."""

    queries: Ids
    items: Ids
    scores: Array


@dataclass(frozen=True)
class Relevant:
    """What was right, one a row: query, item and gain (1 where it is yes or no), above 0. No (query, item) twice."""

    queries: Ids
    items: Ids
    gains: Array


@dataclass(frozen=True)
class Ranking:
    """The measured queries, ascending, each with the gains of its candidates in order of rank."""

    queries: Ids
    _query: Ids  # of each candidate: its query's place in `queries`
    _rank: Ids  # from 0
    _gain: Array  # 0 where not relevant
    _relevant: Relevant  # its queries are places in `queries`

    @staticmethod
    def of(candidates: Scored, relevant: Relevant) -> "Ranking":
        """Rank by score, high to low; of equal scores the lower item id first, so number items by what should win."""
        if np.isnan(candidates.scores).any() or not (relevant.gains > 0).all():
            raise LimnerError("scores of a ranking are numbers, and gains are above 0: leave out what is not relevant")
        queries = np.unique(relevant.queries)
        measured = np.isin(candidates.queries, queries)
        query = np.searchsorted(queries, candidates.queries[measured])
        item, score = candidates.items[measured], candidates.scores[measured]
        order = np.lexsort((item, -score, query))
        query, item = query[order], item[order]
        truth = Relevant(np.searchsorted(queries, relevant.queries), relevant.items, relevant.gains)
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        return Ranking(queries, query, rank, _gains(query, item, truth), truth)

    def ndcg(self, k: int) -> Array:
        """Gain of the first k, each over log2(rank + 1) (rank from 1), over that of the best order: (queries,).

        Järvelin & Kekäläinen 2002 with linear gains, as `sklearn.metrics.ndcg_score`.
        """
        found = self._sum(self._gain / np.log2(self._rank + 2.0), k)
        truth = self._relevant
        order = np.lexsort((-truth.gains, truth.queries))
        query, gain = truth.queries[order], truth.gains[order]
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        best = np.where(rank < k, gain / np.log2(rank + 2.0), 0.0)
        return np.asarray(found / np.bincount(query, best, minlength=len(self.queries)))

    def recall(self, k: int) -> Array:
        """The share of a query's relevant items that are among its first k: (queries,)."""
        every = np.bincount(self._relevant.queries, minlength=len(self.queries))
        return self._sum((self._gain > 0).astype(np.float64), k) / every

    def hit(self, k: int) -> Array:
        """1 where any of the first k is relevant, else 0: (queries,). Its mean is the hit rate."""
        return (self._sum((self._gain > 0).astype(np.float64), k) > 0).astype(np.float64)

    def _sum(self, values: Array, k: int) -> Array:
        if k < 1:
            raise LimnerError(f"the first {k} of a ranking: expected 1 or more")
        first = np.where(self._rank < k, values, 0.0)
        return np.bincount(self._query, first, minlength=len(self.queries)).astype(np.float64)


def _gains(query: Ids, item: Ids, truth: Relevant) -> Array:
    """The gain of each candidate: a lookup of (query, item) pairs, each made one number."""
    known = len(truth.queries)
    names, codes = np.unique(np.concatenate([truth.items, item]), return_inverse=True)
    pairs = np.concatenate([truth.queries, query]) * len(names) + codes.reshape(-1)
    relevant, where = np.unique(pairs[:known], return_index=True)
    if len(relevant) != known or len(np.unique(pairs[known:])) != len(query):
        raise LimnerError("a ranking holds a (query, item) pair twice")
    if not known:
        return np.zeros(len(query))
    place = np.minimum(np.searchsorted(relevant, pairs[known:]), known - 1)
    return np.where(relevant[place] == pairs[known:], truth.gains[where[place]], 0.0)

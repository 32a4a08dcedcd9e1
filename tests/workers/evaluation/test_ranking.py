"""Rankings of sparse candidates, held to plain Python and to scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from limner.language.errors import LimnerError
from limner.workers.evaluation.ranking import Ranking, Relevant, Scored

Pairs = dict[tuple[int, int], float]
"""(query, item) to score or gain."""

pair = st.tuples(st.integers(-2, 3), st.integers(0, 6))
scores = st.dictionaries(pair, st.sampled_from([-1.0, 0.0, 0.5, 0.5, 2.0]), max_size=25)
gains = st.dictionaries(pair, st.sampled_from([0.5, 1.0, 3.0]), min_size=1, max_size=25)


def ranking(candidates: Pairs, relevant: Pairs) -> Ranking:
    return Ranking.of(Scored(*columns(candidates)), Relevant(*columns(relevant)))


def columns(pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([query for query, _ in pairs], dtype=np.int64),
        np.array([item for _, item in pairs], dtype=np.int64),
        np.array(list(pairs.values()), dtype=np.float64),
    )


@given(scores, gains, st.integers(1, 8))
def test_rankings_equal_their_definitions(candidates: Pairs, relevant: Pairs, k: int) -> None:
    """NDCG, recall and hits of each query that has anything relevant, a query and a rank at a time."""
    found = ranking(candidates, relevant)
    queries = sorted({query for query, _ in relevant})
    assert list(found.queries) == queries
    for place, query in enumerate(queries):
        right = {item: gain for (owner, item), gain in relevant.items() if owner == query}
        own = [(-score, item) for (owner, item), score in candidates.items() if owner == query]
        first = [item for _, item in sorted(own)][:k]
        gained = sum(right.get(item, 0) / math.log2(rank + 2) for rank, item in enumerate(first))
        best = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(sorted(right.values(), reverse=True)[:k]))
        assert found.ndcg(k)[place] == pytest.approx(gained / best)
        assert found.recall(k)[place] == pytest.approx(len(set(first) & set(right)) / len(right))
        assert found.hit(k)[place] == bool(set(first) & set(right))


@given(st.integers(0, 1000), st.integers(1, 8))
def test_ndcg_of_dense_candidates_equals_scikit_learns(seed: int, k: int) -> None:
    """Where every item is a candidate and no scores are equal."""
    random = np.random.default_rng(seed)
    scored, right = random.normal(size=(4, 7)), random.integers(0, 3, size=(4, 7)).astype(float)
    right[:, 0] += 1
    every = {(query, item): scored[query, item] for query in range(4) for item in range(7)}
    relevant = {(query, item): right[query, item] for query in range(4) for item in range(7) if right[query, item]}
    assert ranking(every, relevant).ndcg(k).mean() == pytest.approx(ndcg_score(right, scored, k=k))


def test_equal_scores_are_ranked_by_item() -> None:
    """The lower number wins, in whatever order the candidates come."""
    one, other = {(0, 1): 1.0, (0, 2): 1.0}, {(0, 2): 1.0, (0, 1): 1.0}
    for candidates in (one, other):
        assert ranking(candidates, {(0, 1): 1.0}).hit(1)[0] == 1


@pytest.mark.parametrize(
    ("relevant", "said"), [({(0, 1): 0.0}, "above 0"), ({(0, 1): -1.0}, "above 0")], ids=["nothing", "negative"]
)
def test_gains_are_above_nothing(relevant: Pairs, said: str) -> None:
    """An irrelevant item is left out, not given a gain of 0."""
    with pytest.raises(LimnerError, match=said):
        ranking({(0, 1): 1.0}, relevant)


def test_an_item_twice_is_refused() -> None:
    """A candidate that comes twice would be counted twice."""
    twice = Scored(np.array([0, 0]), np.array([1, 1]), np.array([1.0, 2.0]))
    with pytest.raises(LimnerError, match="twice"):
        Ranking.of(twice, Relevant(np.array([0]), np.array([1]), np.array([1.0])))

"""What learned features are compared with, beside plain Python."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.language.errors import LimnerError
from limner.workers.evaluation.baselines import TermsAndLine, majority
from limner.workers.evaluation.drift import by_month, stability_index
from limner.workers.evaluation.habits import Events, own_frequency, popularity

events = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 100)), max_size=40)


def made(rows: list[tuple[int, int, int]]) -> Events:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Events(columns[:, 0], columns[:, 1], columns[:, 2], items=6)


@given(events, st.sampled_from([None, 1, 30]), st.integers(0, 101))
def test_own_frequency_counts_what_is_known(rows: list[tuple[int, int, int]], half_life: int | None, at: int) -> None:
    """Own items by their weight above all others, those by how many entities have them; nothing from `at` on counts."""
    queries = np.array([3, 0, 9], dtype=np.int64)
    found = own_frequency(made(rows).before(at), queries, at, half_life)
    own: dict[tuple[int, int], float] = defaultdict(float)
    having: dict[int, set[int]] = defaultdict(set)
    for entity, item, instant in rows:
        if instant < at:
            own[entity, item] += 0.5 ** ((at - instant) / half_life) if half_life else 1
            having[item].add(entity)
    assert len(found.scores) == 3 * 6
    for query, item, score in zip(found.queries, found.items, found.scores, strict=True):
        if own[query, item] > 0:
            assert score == pytest.approx(own[query, item])
        else:
            most = max((len(each) for each in having.values()), default=0)
            assert score == len(having[item]) - most - 1 < 0
    everybody = popularity(made(rows).before(at), queries)
    assert everybody.scores.tolist() == [len(having[item]) for _ in queries for item in range(6)]


@given(events)
def test_the_popular_are_numbered_first(rows: list[tuple[int, int, int]]) -> None:
    """Renumbering keeps each item's events together, and orders items by their entities."""
    before, after = made(rows), made(rows).by_popularity()
    assert len(set(zip(before.item.tolist(), after.item.tolist(), strict=True))) == len(set(before.item.tolist()))
    assert sorted(after.reach(), reverse=True) == list(after.reach())


def test_the_majority_speaks_for_all() -> None:
    """The shares of what was learned from."""
    assert majority(np.array([0, 1, 1, 1]), 3, rows=2).tolist() == [[0.25, 0.75, 0], [0.25, 0.75, 0]]


def test_terms_and_a_line_read_any_script() -> None:
    """A few Chinese words suffice; the same texts give the same probabilities."""
    texts = ["质量很好", "非常好", "很好用", "质量太差", "太差了", "差评太差"] * 2
    truth = np.array([1, 1, 1, 0, 0, 0] * 2)
    model = TermsAndLine.fit(texts, truth, classes=2)
    found = model.probabilities(["真的很好", "真太差"])
    assert found.argmax(axis=1).tolist() == [1, 0]
    assert found.sum(axis=1) == pytest.approx([1, 1])
    assert (TermsAndLine.fit(texts, truth, classes=2).probabilities(texts) == model.probabilities(texts)).all()


def test_one_class_is_not_learned() -> None:
    """An error that says what there is."""
    with pytest.raises(LimnerError, match="2 classes are wanted"):
        TermsAndLine.fit(["a", "b"], np.array([1, 1]), classes=2)


def test_drift_is_nothing_for_the_same_scores_and_much_for_others() -> None:
    """Equal samples have an index of 0, two of one population nearly, a moved one more than 0.25."""
    random = np.random.default_rng(0)
    scores, more = random.beta(2, 5, size=4000), random.beta(2, 5, size=4000)
    assert stability_index(scores, scores) == 0
    assert stability_index(scores, more) < 0.02
    assert stability_index(scores, np.sqrt(more)) > 0.25
    assert stability_index(np.zeros(10), np.zeros(5)) == 0


def test_drift_is_told_by_month() -> None:
    """Calendar months of UTC, in order."""
    instants = np.array(["2017-12-01T00", "2017-11-30T23", "2017-12-31T23"], "datetime64[us]").astype(np.int64)
    found = by_month(np.array([0.1, 0.5, 0.9]), np.array([0.2, 0.3, 0.4]), instants)
    assert [(each.period, each.rows) for each in found] == [("2017-11", 1), ("2017-12", 2)]
    assert found[1].mean == pytest.approx(0.3)

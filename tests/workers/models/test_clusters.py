"""The pieces of segments: scaling, matching, names."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from limner.language.learning import Segments
from limner.workers.models.clustering import MINI, kmeans
from limner.workers.models.given import Place
from limner.workers.models.matching import ALIKE, matched, moves, numbered
from limner.workers.models.movers import told
from limner.workers.models.naming import apart, name_of
from limner.workers.models.scaling import scale
from limner.workers.models.segmentation import Changes, nearest
from tests.oracle.profiles import many


@many(60)
@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 2)), min_size=1, max_size=40))
def test_the_match_has_most_in_common(pairs: list[tuple[int, int]]) -> None:
    """Of all ways to pair segments with earlier ones, the sum of what they have in common is the largest."""
    before, after = (np.array(each) for each in zip(*pairs, strict=True))
    olds, news = 4, 3

    def alike(old: int, new: int) -> float:
        either = sum(1 for a, b in pairs if a == old or b == new)
        return sum(1 for a, b in pairs if (a, b) == (old, new)) / either if either else 0.0

    best = max(sum(alike(old, new) for new, old in enumerate(way)) for way in permutations(range(olds), news))
    found = matched(before, after, olds, news)
    assert len(set(found.values())) == len(found)
    assert all(alike(old, new) >= ALIKE for new, old in found.items())
    weak = best - sum(alike(old, new) for new, old in found.items())
    assert -1e-9 <= weak <= ALIKE * (news - len(found)) + 1e-9


def test_numbers_of_earlier_segments_stay_and_free_ones_follow() -> None:
    assert numbered({0: 1, 2: 0}, [7, 3], 4, 9) == ((3, 9, 7, 10), 11)
    assert moves(np.array([1, 1, 2, 0, 2]), np.array([1, 3, 3, 2, 3])) == ((2, 3, 2), (0, 2, 1), (1, 3, 1))


def test_a_vector_counts_as_much_as_one_number() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(5, 3, (500, 6))
    rows[random.random(rows.shape[0]) < 0.2, 0] = np.nan
    found = scale(rows, (None, 4, None), "zscore").scaled(rows)
    spread = found.var(axis=0)
    assert np.allclose([spread[0], spread[1:5].sum(), spread[5]], 1.0)
    assert np.allclose(found.mean(axis=0), 0.0)
    assert np.array_equal(scale(rows[:, 1:], (4, None), "none").scaled(rows[:, 1:]), rows[:, 1:])
    least = scale(rows[:, 5:], (None,), "minmax").scaled(rows[:, 5:])
    assert (least.min(), least.max()) == (0.0, 1.0)


def test_a_row_is_placed_by_itself() -> None:
    """Nearest points and distances do not depend on the rows beside one."""
    random = np.random.default_rng(0)
    rows, points = random.normal(size=(3000, 5)), random.normal(size=(700, 5))
    point, distance = nearest(rows, points)
    alone = [nearest(rows[place : place + 1], points) for place in range(0, 3000, 37)]
    assert [int(each[0]) for each, _ in alone] == point[::37].tolist()
    assert [float(each[0]) for _, each in alone] == distance[::37].tolist()


@pytest.mark.parametrize("count", [400, MINI])
def test_the_best_number_of_segments_is_chosen(count: int) -> None:
    """Also where there are so many rows that they are looked at in small batches."""
    random = np.random.default_rng(0)
    centers = np.array([[0, 0], [5, 0], [0, 5], [5, 5], [9, 9]])
    rows = random.normal(size=(count, 2)) * 0.3 + centers[np.arange(count) % 5]
    with threadpool_limits(1):
        found = kmeans(rows, np.arange(0, count, count // 400 + 1), Segments(features=("v",), k=[3, 7]), 0)
    assert len(found.points) == 5
    assert len(set(zip((np.arange(count) % 5).tolist(), nearest(rows, found.points)[0].tolist(), strict=True))) == 5


def test_names_tell_amounts_from_what_is_so_or_not() -> None:
    spend, orders, web = Place("shop.spend"), Place("shop.orders_7d"), Place("channel: web", amount=False)
    assert name_of(((spend, 1.2), (web, -0.9), (orders, -0.7)), 1, ()) == "high spend, low orders_7d"
    assert name_of(((web, 0.9), (spend, -0.6), (orders, -0.7)), 1, ()) == "channel: web, low spend"
    assert name_of(((spend, 0.4),), 1, ()) == "average"
    assert name_of(((spend, 0.4),), 2, {"average"}) == "average (2)"
    assert name_of((), 3, ()) == "segment 3"
    rows = np.array([[0.0, 1, 7], [0, 1, 7], [2, 1, 7], [2, 1, 7]])
    assert apart(rows, [spend, orders, None], np.array([0, 0, 1, 1]), 2) == (((spend, -1.0),), ((spend, 1.0),))


def test_movers_are_told_in_words() -> None:
    ways = ((1, 2, 1500), *((2, to, 1) for to in range(3, 14)))
    changes = Changes(
        version="a", kept=(1, 2), new=(3,), gone=(4, 5), entities=9000, moved=ways, sample=(((7, "web"), 1, 2),)
    )
    said = told(changes)
    assert said[0] == "beside version a: 1,511 of 9,000 entities move, new: 3, gone: 4, 5"
    assert said[1] == "1 -> 2: 1,500"
    assert said[-2:] == ["and 2 between others", "some of them: 7,web (1 -> 2)"]

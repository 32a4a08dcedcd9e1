"""Splits let nothing of what is measured into what is learned from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.language.errors import LimnerError
from limner.workers.evaluation.distinct import canonical, distinct
from limner.workers.evaluation.split import by_digest, by_time, check_windows, part, unseen


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(0, 50), st.integers(1, 20))
def test_no_label_reaches_over_the_cut_off(instants: list[int], cut_off: int, horizon: int) -> None:
    """All that is learned from was known at the cut-off; all that is measured comes after it."""
    rows = np.array([*instants, cut_off - horizon, cut_off], dtype=np.int64)
    split = by_time(rows, cut_off, horizon)
    assert (rows[split.train] + horizon <= cut_off).all()
    assert (rows[split.test] >= cut_off).all()
    assert split.dropped == sum(cut_off - horizon < each < cut_off for each in rows)
    check_windows(rows[split.train], rows[split.test], horizon)


def test_overlapping_windows_are_refused() -> None:
    """An example of the day before what is measured knows thirty days of it."""
    with pytest.raises(LimnerError, match="1 of the 2 examples"):
        check_windows(np.array([0, 29]), np.array([30, 60]), horizon=30)


@pytest.mark.parametrize(("cut_off", "said"), [(5, "learn from"), (100, "measure on")])
def test_a_side_without_rows_is_refused(cut_off: int, said: str) -> None:
    """A cut-off before all rows, or after them."""
    with pytest.raises(LimnerError, match=said):
        by_time(np.array([0, 50]), cut_off, horizon=10)


def test_strangers_are_entities_that_were_not_learned_from() -> None:
    """Entity 1 is on both sides, so its later row is not measured."""
    split = unseen(by_time(np.array([0, 0, 10, 10]), 10, 10), np.array([1, 2, 1, 3]))
    assert split.test.tolist() == [False, False, False, True]
    assert split.dropped == 1


@given(st.lists(st.text(max_size=4), unique=True, max_size=20), st.randoms(use_true_random=False))
def test_a_part_is_a_property_of_the_key(keys: list[str], random: object) -> None:
    """Neither order nor company moves a key to another part."""
    parts = dict(zip(keys, part(keys, 5, seed=3), strict=True))
    for key in keys:
        assert part([key], 5, seed=3)[0] == parts[key]


def test_another_seed_divides_otherwise() -> None:
    """About one in five of a thousand keys is measured on, others with another seed."""
    one, other = (by_digest(range(1000), seed).test for seed in (0, 1))
    assert 150 < one.sum() < 250
    assert (one != other).any()


def test_equal_texts_are_told_apart_once() -> None:
    """Case, width, punctuation and white space make no other text; contradicting labels lose it, empty ones go."""
    texts = ["Good!", "good", "ＧＯＯＤ 。", "很好，不错", "很好 不错！", "bad", "Bad.", "...", ""]
    found = distinct(texts, [1, 1, 1, 1, 1, 0, 1, 0, 0])
    assert found.kept == (0, 3)
    assert (found.repeats, found.contradicting) == (5, 2)
    assert canonical("Ｇood 很好！") == "good很好"

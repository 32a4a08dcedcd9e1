"""Texts are cut into requests by rows, characters and what may be in flight."""

from hypothesis import given
from hypothesis import strategies as st

from limner.workers.encoder.requests import cut_requests


def test_many_texts_fill_their_requests() -> None:
    """Full requests first, the rest last."""
    assert [len(cut) for cut in cut_requests([10] * 1100, 256, 10**6, 4)] == [256, 256, 256, 256, 76]


def test_few_texts_are_spread_but_not_thinly() -> None:
    """300 texts use all four places in flight; 100 texts do not go below 64 a request."""
    assert [len(cut) for cut in cut_requests([10] * 300, 256, 10**6, 4)] == [75, 75, 75, 75]
    assert [len(cut) for cut in cut_requests([10] * 100, 256, 10**6, 4)] == [64, 36]


def test_a_text_above_the_limit_goes_alone() -> None:
    """Characters bound a request, but no text is left out."""
    assert cut_requests([5, 100, 5, 5], 256, 12, 4) == [range(1), range(1, 2), range(2, 4)]


@given(st.lists(st.integers(0, 50), max_size=400), st.integers(1, 90), st.integers(1, 200), st.integers(1, 8))
def test_every_text_is_in_one_request_and_no_request_is_too_large(
    chars: list[int], rows: int, limit: int, in_flight: int
) -> None:
    """Requests are consecutive, complete, and within both limits."""
    cuts = cut_requests(chars, rows, limit, in_flight)
    assert [place for cut in cuts for place in cut] == list(range(len(chars)))
    for cut in cuts:
        assert 1 <= len(cut) <= rows
        assert len(cut) == 1 or sum(chars[place] for place in cut) <= limit

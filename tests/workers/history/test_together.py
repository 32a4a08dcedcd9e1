"""Views that share an encoder move to its new vectors together."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from limner.workers.history.together import Move, Wait, choose


def test_views_without_encoders_move_when_they_are_ready() -> None:
    """Nobody waits for anybody."""
    assert choose([Move("a", ready=True), Move("b")]) == (("a",), ())


def test_a_view_waits_for_one_that_serves_older_vectors_of_its_encoder() -> None:
    """Until that one is ready too."""
    waiting = Move("a", {"bert": "1"}, {"bert": "2"}, ready=True)
    assert choose([waiting, Move("b", {"bert": "1"})]) == ((), (Wait("a", "b", "bert"),))
    assert choose([waiting, Move("b", {"bert": "1"}, {"bert": "2"}, ready=True)]) == (("a", "b"), ())


def test_other_encoders_and_views_that_serve_nothing_hold_nobody_back() -> None:
    """Several encoders side by side are what the spec asks for."""
    moves = [Move("a", {"bert": "1"}, {"mini": "9"}, ready=True), Move("b", {"bert": "1"}), Move("c")]
    assert choose(moves) == (("a",), ())


def test_waiting_spreads() -> None:
    """c waits for b, which waits for a."""
    moves = [
        Move("a", {"x": "1"}),
        Move("b", {"x": "1", "y": "1"}, {"x": "2", "y": "2"}, ready=True),
        Move("c", {"y": "1"}, {"y": "2"}, ready=True),
    ]
    going, waits = choose(moves)
    assert going == ()
    assert {(wait.view, wait.other) for wait in waits} == {("b", "a"), ("c", "b")}


ENCODERS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=2)
MOVES = st.lists(st.tuples(ENCODERS, st.sampled_from("12"), st.booleans()), min_size=1, max_size=5)


@given(MOVES, ENCODERS)
def test_after_a_step_no_encoder_has_two_fingerprints(
    drawn: list[tuple[dict[str, str], str, bool]], before: dict[str, str]
) -> None:
    """From a state in which none has, into one in which none has; and whoever could move did."""
    now = {**dict.fromkeys("xyz", "1"), **before}
    new = dict.fromkeys(now, "2")
    moves = [
        Move(f"v{n}", {e: now[e] for e in uses}, {e: new[e] for e in uses}, ready)
        for n, (uses, _, ready) in enumerate(drawn)
    ]
    going, waits = choose(moves)
    after = [move.wants if move.view in going else move.serves for move in moves]
    for one, other in product(after, after):
        assert all(one[name] == other[name] for name in one.keys() & other.keys())
    assert {*going, *(wait.view for wait in waits)} == {move.view for move in moves if move.ready}

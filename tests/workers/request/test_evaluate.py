"""Ages and cosines: exact, row by row, and null where something is missing."""

import itertools
import math
import random
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from limner.workers.online.pack import Column
from limner.workers.request.evaluate import age, cosine, evaluate, vectors
from limner.workers.request.program import Age, Calculation, Cosine, Operand, Program, TextEncoder

STAMP = pa.timestamp("us", tz="UTC")
DAY = 86_400_000_000
ENCODER = TextEncoder("tiny", "f" * 64, 2, "query: ", "[]")
PROGRAM = Program(
    name="now",
    request=(Column("now", "timestamp"), Column("query", "string")),
    operands=(Operand("taste", Column("last", "timestamp")), Operand("taste", Column("likes", "float", dim=2))),
    features=(Column("days", "float"), Column("fit", "float"), Column("late", "bool")),
    steps=(
        Age("days", "taste.last", "now", DAY),
        Cosine("fit", "taste.likes", "query", ENCODER),
        Calculation("late", "days > 1.5", ("days",)),
    ),
)


def instants(*micros: int | None) -> pa.Array:
    return pa.array(micros, pa.int64()).cast(STAMP)


def floats(*rows: Sequence[float] | None) -> pa.Array:
    return pa.array(rows, pa.list_(pa.float32()))


def encode(encoder: TextEncoder, texts: Sequence[str]) -> list[list[float] | None]:
    """A text of n characters has the vector (n, 1); one that says so has none."""
    assert encoder == ENCODER
    return [None if "unreadable" in text else [float(len(text)), 1.0] for text in texts]


def test_an_age_is_rounded_once() -> None:
    """As a fraction of whole microseconds, also where their number leaves 53 bits, or is negative."""
    of, at = [0, 1, 5 * DAY, -(2**62)], [1, 10 * DAY, DAY, 2**61 + 1]
    found = age(instants(*of), instants(*at), DAY).to_pylist()
    assert found == [float(Fraction(b - a, DAY)) for a, b in zip(of, at, strict=True)]
    assert age(instants(None, 1), instants(1, None), DAY).to_pylist() == [None, None]


def test_a_cosine_is_made_of_correctly_rounded_sums() -> None:
    rng = random.Random(1)
    rows = [[float(np.float32(rng.uniform(-1, 1))) for _ in range(40)] for _ in range(50)]
    for left, right in itertools.pairwise(rows):
        exact = [sum(Fraction(a) * Fraction(b) for a, b in zip(*pair, strict=True))
                 for pair in ((left, right), (left, left), (right, right))]  # fmt: skip
        dot, own, other = map(float, exact)
        assert cosine(floats(left), floats(right)).to_pylist() == [dot / math.sqrt(own * other)]


def test_a_cosine_does_not_depend_on_its_neighbours_and_stays_within_one() -> None:
    rng = random.Random(2)
    rows = [[rng.gauss(0, 1) for _ in range(16)] for _ in range(30)]
    together = cosine(floats(*rows), floats(*reversed(rows))).to_pylist()
    alone = [cosine(floats(a), floats(b))[0].as_py() for a, b in zip(rows, reversed(rows), strict=True)]
    assert together == alone
    assert set(cosine(floats(*rows), floats(*rows)).to_pylist()) == {1.0}
    assert min(cosine(floats(*rows), floats(*([-x for x in row] for row in rows))).to_pylist()) == -1.0


def test_a_cosine_without_two_vectors_is_null() -> None:
    """Null, of length zero, or of two lengths."""
    left, right = floats(None, [1, 0], [0, 0], [1, 0], [3, 4]), floats([1, 0], None, [1, 0], [1, 0, 0], [3, 4])
    assert cosine(left, right).to_pylist() == [None, None, None, None, 1.0]
    sliced = cosine(left.slice(4), right.slice(4))
    assert sliced.to_pylist() == [1.0]


def test_texts_are_finished_and_equal_ones_sent_once() -> None:
    sent: list[str] = []

    def noted(encoder: TextEncoder, texts: Sequence[str]) -> list[list[float] | None]:
        sent.extend(texts)
        return encode(encoder, texts)

    found = vectors(pa.array(["a  b ", None, " ", "a b", "unreadable"]), ENCODER, noted).to_pylist()
    assert found == [[10.0, 1.0], None, None, [10.0, 1.0], None]
    assert sent == ["query: a b", "query: unreadable"]


def test_the_steps_of_a_request_view_read_each_other() -> None:
    columns = {
        "now": instants(2 * DAY, DAY, None),
        "query": pa.array(["ab", "ab", None]),
        "taste.last": instants(0, 0, 0),
        "taste.likes": floats([9, 1], None, [9, 1]),
    }
    found = evaluate(PROGRAM, columns, encode)
    assert {name: array.to_pylist() for name, array in found.items()} == {
        "days": [2.0, 1.0, None],
        "fit": [1.0, None, None],
        "late": [True, False, None],
    }


def test_a_text_with_nothing_to_compare_with_is_not_encoded() -> None:
    """An entity without a vector costs no inference; nor does a server that is down then matter."""
    sent: list[str] = []

    def noted(encoder: TextEncoder, texts: Sequence[str]) -> list[list[float] | None]:
        sent.extend(texts)
        return encode(encoder, texts)

    columns = {"query": pa.array(["a", "b"]), "taste.likes": floats(None, [1, 0])}
    assert evaluate(PROGRAM, columns, noted, ["fit"])["fit"].is_valid().to_pylist() == [False, True]
    assert sent == ["query: b"]


def test_only_what_is_wanted_is_computed() -> None:
    """No text is encoded for a feature that nobody asked for."""
    columns = {"now": instants(DAY), "taste.last": instants(0)}

    def never(encoder: TextEncoder, texts: Sequence[str]) -> list[list[float] | None]:
        raise AssertionError("nothing to encode")

    assert list(evaluate(PROGRAM, columns, never, ["late"])) == ["late"]


def test_a_program_is_read_back_as_it_was_written() -> None:
    assert Program.from_json(PROGRAM.text) == PROGRAM
    assert Program.from_json(PROGRAM.text).identity == PROGRAM.identity


@pytest.mark.parametrize("wanted", [None, ["days"]])
def test_no_rows_give_no_rows(wanted: list[str] | None) -> None:
    columns = {"now": instants(), "taste.last": instants(), "taste.likes": floats(), "query": pa.array([], pa.string())}
    assert all(len(array) == 0 for array in evaluate(PROGRAM, columns, encode, wanted).values())

"""Keys as texts and the order of their digests, held to the plainest Python."""

import hashlib
import random

import pyarrow as pa
import pytest

from limner.workers.evaluation.entities import codes
from limner.workers.keys import by_digest, texts_of

_WORDS = ["", "a", "b", "\x1f", "\x00", "ä", "购物", "\U0001f6d2", "a\x1fb", "None", None]  # fmt: skip


@pytest.mark.parametrize("keys", [["n"], ["s"], ["n", "s"]])
def test_the_order_is_that_of_digests_of_keys(keys: list[str]) -> None:
    chance = random.Random(5)
    numbers = [chance.choice([chance.randrange(-(2**63), 2**63), chance.randrange(-9, 9)]) for _ in range(500)]
    words = [chance.choice([*_WORDS, f"user {number}"]) for number in numbers]
    table = pa.table({"n": pa.array(numbers, pa.int64()), "s": pa.array(words, pa.string())})
    plain = ["\x1f".join(map(str, each)) for each in zip(*(table[key].to_pylist() for key in keys), strict=True)]
    assert texts_of(table, keys).to_pylist() == plain
    order = sorted(range(len(plain)), key=lambda place: hashlib.sha256(plain[place].encode()).digest())
    for most in (None, 0, 77, 501):
        assert by_digest(texts_of(table, keys), most).tolist() == order[:most]
    places, names = codes(table, keys)
    assert names == sorted(set(plain))
    assert [names[place] for place in places] == plain

"""The index of digests against a plain dict."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.workers.text.index import DigestIndex, as_arrow, as_digests

# Few first halves, so that many digests share their first eight bytes; zeros, which text types would strip.
DIGEST = st.tuples(st.sampled_from([b"\0" * 8, b"\xff" * 8, b"a" * 8]), st.binary(min_size=8, max_size=8)).map(b"".join)
PARTS = st.lists(st.lists(DIGEST, min_size=1, max_size=8, unique=True), max_size=4)


def arrow(digests: list[bytes]) -> pa.Array:
    return pa.array(digests, pa.binary(16))


@given(PARTS, st.lists(DIGEST, max_size=12))
def test_it_finds_what_a_dict_finds(parts: list[list[bytes]], wanted: list[bytes]) -> None:
    """Every known digest is found where it was first added, and nothing else is found."""
    index = DigestIndex()
    places: dict[bytes, tuple[int, int]] = {}
    for number, part in enumerate(parts):
        index.extend([as_digests(arrow(part))])
        for row, digest in enumerate(part):
            places.setdefault(digest, (number, row))
    wanted = [*wanted, *places]
    part_of, row_of, found = index.find(as_digests(arrow(wanted)))
    answer = [(int(p), int(r)) if ok else None for p, r, ok in zip(part_of, row_of, found, strict=True)]
    assert answer == [places.get(digest) for digest in wanted]
    assert len(index) == len(places)
    missing = index.missing(as_digests(arrow(wanted))).to_pylist()
    assert missing == sorted(set(wanted) - set(places))


@given(st.lists(DIGEST))
def test_digests_survive_the_way_there_and_back(digests: list[bytes]) -> None:
    """Slices, chunks and variable-length columns mean the same digests."""
    whole = arrow([b"x" * 16, *digests])
    assert as_arrow(as_digests(whole.slice(1))).to_pylist() == digests
    assert as_arrow(as_digests(pa.array(digests, pa.binary()))).to_pylist() == digests
    chunked = pa.chunked_array([arrow(digests), arrow(digests[:1])], pa.binary(16))
    assert as_arrow(as_digests(chunked)).to_pylist() == digests + digests[:1]


def test_a_null_or_a_short_digest_is_a_bug() -> None:
    """What cannot be a digest is refused, not looked up as something else."""
    with pytest.raises(ValueError, match="1 of 1 digests are null"):
        as_digests(pa.array([None], pa.binary(16)))
    with pytest.raises(ValueError, match="not of 16 bytes"):
        as_digests(pa.array([b"short"]))


def test_an_empty_index_knows_nothing() -> None:
    """A first run meets no parts at all."""
    index = DigestIndex()
    index.extend([])
    assert index.missing(as_digests(arrow([b"x" * 16]))).to_pylist() == [b"x" * 16]
    assert index.find(np.empty((0, 2), np.uint64))[2].tolist() == []

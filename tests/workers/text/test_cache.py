"""Embeddings on disk: durable, whole, shared between processes."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from fakes import DIM, FakeModel, digests_of
from text_processes import hold, put, vectors_of, write_for_ever

from limner.language.errors import LimnerError
from limner.workers.text.cache import EmbeddingCache

MODEL = FakeModel()


def test_vectors_come_back_in_the_order_asked(tmp_path: Path) -> None:
    """Several parts, any order, repeats."""
    cache = EmbeddingCache(tmp_path, MODEL)
    put(cache, ["a", "b", "c"])
    put(cache, ["d", "e"])
    cache.refresh()
    asked = ["e", "a", "d", "a", "c"]
    np.testing.assert_array_equal(cache.load(digests_of(asked)), vectors_of(asked))
    assert cache.load(digests_of([])).shape == (0, DIM)


def test_a_text_never_encoded_is_an_error_not_zeros(tmp_path: Path) -> None:
    """An empty vector is never passed off as an embedding."""
    cache = EmbeddingCache(tmp_path, MODEL)
    put(cache, ["a"])
    cache.refresh()
    with pytest.raises(LimnerError, match="encoder 'fake': 2 of 3 texts have no embedding"):
        cache.load(digests_of(["a", "x", "y"]))


def test_parts_of_another_process_show_after_a_refresh(tmp_path: Path) -> None:
    """Two caches on one folder see one another's parts, and no other encoder's."""
    mine, theirs = EmbeddingCache(tmp_path, MODEL), EmbeddingCache(tmp_path, MODEL)
    other = EmbeddingCache(tmp_path, FakeModel(fingerprint="0" * 64))
    put(theirs, ["a"])
    assert mine.missing(digests_of(["a", "b", "b"])).to_pylist() == sorted(digests_of(["a", "b"]).to_pylist())
    for cache in (mine, other):
        cache.refresh()
    assert mine.missing(digests_of(["a", "b"])).to_pylist() == digests_of(["b"]).to_pylist()
    assert len(other) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused(tmp_path: Path, bad: float) -> None:
    """Nothing unusable gets into the cache, where it would stay for ever."""
    vectors = vectors_of(["a"])
    vectors[0, 3] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        EmbeddingCache(tmp_path, MODEL).put(digests_of(["a"]), vectors)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    """A part cut short by a disk's failure stops the run and says which file to delete."""
    path = put(EmbeddingCache(tmp_path, MODEL), ["a", "b"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(LimnerError, match=rf"{path.name} is not a readable part.*delete this file"):
        EmbeddingCache(tmp_path, MODEL)


def test_a_killed_writer_leaves_only_whole_parts(tmp_path: Path) -> None:
    """SIGKILL at any moment: what can be seen can be read."""
    for attempt in range(3):
        writer = multiprocessing.get_context("spawn").Process(target=write_for_ever, args=(tmp_path,))
        writer.start()
        while len(list((tmp_path / MODEL.fingerprint).glob("part-*"))) < 2 * (attempt + 1):
            assert writer.is_alive()
            time.sleep(0.002)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        cache = EmbeddingCache(tmp_path, MODEL)
        assert len(cache) >= 3000
        assert len(cache) % 3000 == 0


def test_the_lock_admits_one_and_ends_with_its_process(tmp_path: Path) -> None:
    """A second process waits, is told so, and goes on when the first is killed."""
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=hold, args=(tmp_path, held))
    holder.start()
    assert held.wait(30)

    def kill() -> None:
        os.kill(holder.pid or 0, signal.SIGKILL)

    with EmbeddingCache(tmp_path, MODEL).lock(on_wait=kill):
        holder.join()
    assert holder.exitcode == -signal.SIGKILL

"""The network in use: exact whatever is computed beside it, and what torch learned."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from limner.workers.alone import alone
from limner.workers.models.sequences.events import Events, following
from limner.workers.models.sequences.fixed import clipped, rounded, sigmoid, softmax, tanh
from limner.workers.models.sequences.gru import Gru
from limner.workers.models.sequences.learned import NETWORKS, Content, contents, encoder, files, read_encoder
from limner.workers.models.sequences.modules import Reads, network
from limner.workers.models.sequences.vocabulary import GAPS, gaps
from limner.workers.models.versions import Version, register
from limner.workers.windows.behaviour import likeliest
from tests.workers.models.sequences.plain import plain_transformer

BOTH = pytest.mark.parametrize("architecture", ["gru", "transformer"])


def _reads(architecture: str = "gru", dim: int = 24) -> Reads:
    return Reads(np.zeros((0, 2), np.int64), (40, 9), 30, dim, architecture)


def _sequences(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    read = np.stack([random.integers(0, size, (count, 30)) for size in (40, 9, GAPS)], axis=2)
    return read, random.integers(1, 31, count)


@BOTH
def test_it_says_what_torch_would(architecture: str) -> None:
    import torch

    with alone(3):
        net = network(_reads(architecture)).eval()
        read, length = _sequences(50)
        with torch.no_grad():
            states = net(torch.from_numpy(read)).numpy()[np.arange(50), length - 1]
            scores = net.out(torch.from_numpy(states)).numpy()
    made = NETWORKS[architecture](net.arrays(), 3)
    found = made.states(read, length)
    np.testing.assert_allclose(found, states, rtol=0, atol=5e-3)
    np.testing.assert_allclose(made.scores(found), scores, rtol=0, atol=8e-3)


@BOTH
def test_no_bit_depends_on_what_is_computed_beside_it(architecture: str) -> None:
    """Alone, in any batch, in any order, with many threads: the same."""
    from threadpoolctl import threadpool_limits

    with alone(3):
        made = NETWORKS[architecture](network(_reads(architecture)).arrays(), 3)
    read, length = _sequences(700)
    whole = made.states(read, length)
    said = made.probabilities(whole)
    order = np.random.default_rng(5).permutation(700)
    assert (made.states(read[order], length[order]) == whole[order]).all()
    for size in (1, 2, 7, 33):
        for begin in range(0, 200, size):
            some = slice(begin, begin + size)
            assert (made.states(read[some], length[some]) == whole[some]).all()
            assert (made.probabilities(whole[some]) == said[some]).all()
    with threadpool_limits(1):
        assert (made.states(read, length) == whole).all()


def test_a_transformer_says_what_plain_code_finds() -> None:
    """One number at a time, to the last bit; what stands beyond the last row does not count."""
    with alone(7):
        arrays = network(_reads("transformer", 6)).arrays()
    made = NETWORKS["transformer"](arrays, 3)
    read, length = _sequences(40)
    found = made.states(read, length)
    for place in range(40):
        assert found[place].tolist() == plain_transformer(arrays, read[place, : length[place]].tolist())
    read[np.arange(30) >= length[:, None]] = 3
    assert (made.states(read, length) == found).all()


@BOTH
def test_a_version_is_read_as_it_was_learned(architecture: str, tmp_path: Path) -> None:
    with alone(3):
        arrays = network(_reads(architecture)).arrays()
    words = (tuple(f"a{place}" for place in range(38)), tuple(f"b{place}" for place in range(7)))
    content = Content(kind=architecture, columns=("a", "b"), words=words, length=30, dim=24)
    made = files(content, arrays)
    version = Version(
        model="m", kind="sequence", definition="", cut_off=0, seed=0, data="", examples={}, metrics={},
        files=contents(made),
    )  # fmt: skip
    register(tmp_path, version, made)
    read, length = _sequences(20)
    found = read_encoder(tmp_path, "m", version.id)
    assert found.content == content
    assert (found.states(read, length) == encoder(content, arrays).states(read, length)).all()
    with torch_of(architecture) as says:
        np.testing.assert_allclose(found.network.scores(found.states(read, length)), says(read, length), atol=8e-3)


@contextmanager
def torch_of(architecture: str) -> Iterator[Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """What torch says of sequences: [sequences, items + 1]."""
    import torch

    with alone(3), torch.no_grad():
        net = network(_reads(architecture)).eval()
        yield lambda read, length: net.out(net(torch.from_numpy(read))[np.arange(len(read)), length - 1]).numpy()


def test_numbers_are_those_of_the_functions_they_stand_for() -> None:
    x = np.linspace(-20, 20, 4001)
    np.testing.assert_allclose(sigmoid(x), 1 / (1 + np.exp(-x)), rtol=0, atol=3e-4)
    np.testing.assert_allclose(tanh(x), np.tanh(x), rtol=0, atol=6e-4)
    scores = np.random.default_rng(0).normal(size=(50, 300)) * 6
    exact = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(softmax(scores), exact / exact.sum(axis=1, keepdims=True), rtol=1e-7, atol=1e-11)
    assert (rounded([-0.0]).view(np.int64) == 0).all()
    assert clipped([1e9, -1e9]).tolist() == [64.0, -64.0]


def test_gaps_double() -> None:
    minute = 60_000_000
    micros = [0, 1, minute - 1, minute, 2 * minute - 1, 2 * minute, 60 * minute, 10**15]
    assert gaps(np.array(micros)).tolist() == [1, 2, 2, 3, 3, 4, 8, 22]
    assert gaps(np.array([2**61])).tolist() == [GAPS - 1]


def test_what_follows_is_what_the_next_instant_has() -> None:
    """Rows of one instant follow each other in no order, so none is foretold by another."""
    entity, time = np.array([0, 0, 0, 0, 1, 2, 2]), np.array([1, 1, 5, 5, 5, 3, 9])
    found = following(Events(entity, time, (), ""), np.array([7, 3, 4, 4, 9, 2, 5]))
    assert found.row.tolist() == [1, 5]
    assert found.time.tolist() == [5, 9]
    assert (found.count.tolist(), found.item.tolist()) == ([1, 1], [4, 5])


def test_the_likeliest_are_the_first_of_equal_ones() -> None:
    share = np.array([[0.1, 0.4, 0.1, 0.4, 0.1], [0.2, 0.2, 0.2, 0.2, 0.2]])
    assert likeliest(share, 3).tolist() == [[1, 3, 0], [0, 1, 2]]
    assert likeliest(share, 9).shape == (2, 5)


def test_files_that_make_no_sense_are_refused() -> None:
    with alone(0):
        arrays = network(_reads()).arrays()
    with pytest.raises(ValueError, match="there is no array"):
        Gru.of({name: each for name, each in arrays.items() if name != "new"}, 3)
    with pytest.raises(ValueError, match="do not fit together"):
        Gru.of({**arrays, "new": arrays["new"][:-1]}, 3)
    with pytest.raises(ValueError, match="not of the numbers it computes with"):
        Gru.of({**arrays, "new": arrays["new"] + np.float32(1e-5)}, 3)
    content = Content(kind="gru", columns=("a", "b"), words=(("x",) * 38, ("y",) * 6), length=30, dim=24)
    with pytest.raises(ValueError, match="not a vector for each word"):
        encoder(content, arrays)

"""Long texts in pieces: how tokens are cut, and how the pieces' vectors become one."""

import importlib.util
import sys
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.workers.encoder.repository import templates


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pieces", templates() / "bert_encoder" / "1" / "pieces.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pieces"] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


pieces = load()


@dataclass
class Encoding:
    """What a tokenizer gives for a text."""

    ids: list[int]
    overflowing: list["Encoding"] = field(default_factory=list)


@given(st.integers(0, 200), st.integers(4, 40), st.integers(1, 8), st.data())
def test_every_token_of_a_text_counts_once(count: int, longest: int, most: int, data: st.DataObject) -> None:
    """As far as the pieces reach; with a real tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    overlap = data.draw(st.integers(0, (longest - 2) // 2))
    words = {"[CLS]": 0, "[SEP]": 1, **{f"w{n}": n + 2 for n in range(200)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    tokenizer.enable_truncation(longest, stride=overlap)
    text = " ".join(f"w{n}" for n in range(count))
    found = pieces.cut(tokenizer.encode_batch_fast(["w7", text]), most, overlap, 2)
    assert found.first[:2] == [0, 1]
    assert len(found.tokens) == found.first[2] == len(found.fresh) <= 1 + most
    seen: list[int] = []
    for ids, fresh in zip(found.tokens[1:], found.fresh[1:], strict=True):
        assert ids[0] == 0
        assert ids[-1] == 1
        assert len(ids) <= longest
        assert ids[1 : len(ids) - 1 - fresh] == seen[len(seen) - overlap :] if seen else fresh == len(ids) - 2
        seen += ids[len(ids) - 1 - fresh : -1]
    whole = [n + 2 for n in range(count)]
    assert seen == whole[: len(seen)]
    assert len(found.tokens) == 1 + most or seen == whole


def test_vectors_are_weighted_by_the_tokens_that_are_new() -> None:
    """The mean; of length 1 where that is asked for. One piece is left alone, to the last bit."""
    cut = pieces.cut([Encoding([0] * 6), Encoding([0] * 6, [Encoding([0] * 5), Encoding([0] * 6)])], 2, 1, 2)
    assert (cut.fresh, cut.first) == ([4, 4, 2], [0, 1, 3])
    vectors = np.array([[0.1, 0.7], [3, 0], [0, 6]], np.float32)
    joined = pieces.join(cut, vectors, normalize=False)
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined, np.array([[0.1, 0.7], [2, 2]], np.float32))
    unit = pieces.join(cut, vectors, normalize=True)
    np.testing.assert_array_equal(unit[0], vectors[0])
    assert unit[1] == pytest.approx([0.5**0.5] * 2)


def test_groups_of_texts_become_groups_of_pieces() -> None:
    """A request stays a group of its own."""
    cut = pieces.cut([Encoding([0] * 4, [Encoding([0] * 4)] * number) for number in (0, 2, 1)], 8, 0, 2)
    assert cut.groups([range(0, 1), range(1, 3)]) == [range(0, 1), range(1, 6)]


def test_pieces_that_cancel_out_are_no_division_by_zero() -> None:
    """A vector of zeros, not of NaN."""
    cut = pieces.cut([Encoding([0] * 4, [Encoding([0] * 4)])], 2, 0, 2)
    opposite = np.array([[1, 0], [-1, 0]], np.float32)
    np.testing.assert_array_equal(pieces.join(cut, opposite, normalize=True), np.zeros((1, 2), np.float32))

"""Tokens are counted by the encoder's own tokenizer, as the encoder cuts texts."""

from dataclasses import replace
from pathlib import Path

import pytest
from integration.tiny_bert import write_tiny_bert

from limner.workers.costs.texts import _tokens
from limner.workers.encoder.resolve import EncoderModel

MODEL = EncoderModel("tiny", Path("none"), "mean", 6, True, "", "auto", 32, "f" * 64)


def test_tokens_of_the_encoders_own_tokenizer(tmp_path: Path) -> None:
    """[CLS] milk [SEP] are three; a long text counts as what is left of it."""
    model = replace(MODEL, folder=write_tiny_bert(tmp_path / "tiny"))
    assert _tokens(model, ["milk"]) == 3
    assert _tokens(model, ["milk", "red green blue big small milk bread"]) == pytest.approx((3 + 6) / 2)
    assert _tokens(model, []) == 0


def test_without_a_tokenizer_tokens_are_unknown(tmp_path: Path) -> None:
    """Nor with one that cannot be read."""
    assert _tokens(replace(MODEL, folder=tmp_path), ["milk"]) is None
    (tmp_path / "tokenizer.json").write_text("{}")
    assert _tokens(replace(MODEL, folder=tmp_path), ["milk"]) is None

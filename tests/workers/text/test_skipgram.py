"""Vectors of terms: those that are used alike are near, whatever the order of texts; a text is what is in it alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner.language.errors import LimnerError
from limner.language.term_encoders import Word2Vec
from limner.workers.plan import plan_view
from limner.workers.text.skipgram import Words, learn, read_words
from limner.workers.text.terms import TermsEncode, TermsModel, terms_model
from tests.workers.models.texts import world
from tests.workers.text.test_terms import _write, run, specs

TOPICS = {
    "kitchen": ["pan", "oven", "knife", "spoon", "recipe", "boil", "bake", "salt"],
    "garden": ["roses", "soil", "shovel", "seeds", "lawn", "rain", "plant", "bees"],
}
ASKED = {"source": "reviews", "text": "{body}", "fit": "2026-01-03", "features": 16}


def asked(**keys: Any) -> Word2Vec:
    return Word2Vec.model_validate({**ASKED, **keys})


def texts(count: int = 400, seed: int = 0) -> list[list[str]]:
    """Each about one topic; dish and plate are never in one text, and used alike."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        words = list(random.choice(list(TOPICS.values())[number % 2], 5))
        if number % 4 in (0, 2):
            words.insert(2, "dish" if number % 4 == 0 else "plate")
        found.append([str(word) for word in words])
    return found


def _cosine(words: Words, one: str, other: str) -> float:
    a, b = words.vectors[words.places[one]], words.vectors[words.places[other]]
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_terms_that_are_used_alike_are_near() -> None:
    words = learn(asked(), texts())
    kitchen, garden = TOPICS.values()
    within = [
        _cosine(words, one, other) for topic in (kitchen, garden) for one in topic for other in topic if one < other
    ]
    across = [_cosine(words, one, other) for one in kitchen for other in garden]
    assert np.mean(within) > np.mean(across) + 0.5
    assert _cosine(words, "dish", "plate") > max(_cosine(words, "dish", each) for each in garden) + 0.3


def test_the_same_texts_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    """In any order; another seed, or another text, others. What is written is read again."""
    some = texts(120)
    content = learn(asked(), some).content()
    assert learn(asked(), some[::-1]).content() == content
    assert learn(asked(seed=1), some).content() != content
    assert learn(asked(), [*some, ["pan", "roses"]]).content() != content
    (tmp_path / "words.safetensors").write_bytes(content)
    assert read_words(tmp_path / "words.safetensors").content() == content
    (tmp_path / "words.safetensors").write_bytes(content[:-5])
    with pytest.raises(LimnerError, match="cannot read what an encoder learned"):
        read_words(tmp_path / "words.safetensors")


def test_rare_terms_have_no_vector_and_an_unknown_text_is_zeros() -> None:
    words = learn(asked(), [*texts(100), ["zebra", "pan"]])
    assert "zebra" not in words.terms
    assert not words.of(["zebra", "giraffe"], normalize=True).any()
    assert np.linalg.norm(words.of(["zebra", "pan"], normalize=True)) == pytest.approx(1)
    np.testing.assert_array_equal(words.of(["pan"], normalize=False), words.vectors[words.places["pan"]])
    assert learn(asked(), [["pan"], ["pan", "oven"]]).terms == ()


WORDS = ("tfidf: {source: reviews, text: \"{body}\", fit: 2026-01-03, features: 5}",
         "word2vec: {source: reviews, text: \"{body}\", fit: 2026-01-03, features: 8}")  # fmt: skip


@pytest.mark.parametrize(
    "keys",
    ["features: 9", "features: 8, window: 2", "features: 8, min_df: 1", "features: 8, epochs: 6",
     "features: 8, seed: 1", "features: 8, analyzer: char", "features: 8, lowercase: false"],
)  # fmt: skip
def test_whatever_decides_a_vector_is_in_the_identity(keys: str, tmp_path: Path) -> None:
    other = (WORDS[0], WORDS[1].replace("features: 8", keys))
    fingerprint = terms_model(specs(WORDS), "terms", tmp_path).fingerprint
    assert terms_model(specs(other), "terms", tmp_path).fingerprint != fingerprint
    assert terms_model(specs(), "terms", tmp_path).fingerprint != fingerprint


def test_it_learns_of_what_was_known_at_its_instant(tmp_path: Path) -> None:
    """And its vectors are those of each text by itself, and begin there."""
    learned = []
    for name, later in (("a", "roses soil"), ("b", "pan oven oven oven")):
        root = tmp_path / name
        root.mkdir()
        _write(root / "notes.parquet", {"user_id": [1, 2], "text": ["Good pan", "oven"]}, ["2026-01-01", "2026-01-04"])
        bodies = ["good pan in the oven", "a good oven", "the pan is good", later]
        days = ["2026-01-01", "2026-01-02", "2026-01-02", "2026-01-03"]
        _write(root / "reviews.parquet", {"body": bodies}, days)
        plan = plan_view(specs(WORDS), "mood", root, root / "data")
        rows = [row for part in run(plan, "2025-12-31", "2026-01-10").history.parts() for row in _read(part.path)]
        model = plan.encoders["terms"]
        assert isinstance(model, TermsModel)
        assert model.fitted is not None
        assert set(read_words(model.fitted).terms) == {"good", "oven", "pan", "the"}
        learned.append(model.fitted.read_bytes())
        assert [row["terms"] is not None for row in rows if row["user_id"] == 1] == [False, True]
        (said,) = (row["terms"] for row in rows if row["user_id"] == 2)
        assert np.array(said, np.float32).tobytes() == TermsEncode(model)(["oven"]).vectors[0].tobytes()
        several = ["Good pan", "", "oven pan the", "unknown"]
        together = TermsEncode(model)(several).vectors
        for text, vector in zip(several, together, strict=True):
            assert TermsEncode(model)([text]).vectors[0].tobytes() == vector.tobytes()
    assert learned[0] == learned[1]


def _read(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = pq.read_table(path).sort_by("event_timestamp").to_pylist()
    return found


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    _write(tmp_path / "notes.parquet", {"user_id": [1], "text": ["Good pan"]}, ["2026-01-01"])
    _write(tmp_path / "reviews.parquet", {"body": ["good pan"]}, ["2026-01-01"])
    plan = plan_view(specs(WORDS), "mood", tmp_path, tmp_path / "data")
    with pytest.raises(LimnerError, match="encoder 'terms': nothing to learn from 1 texts of source 'reviews' known"):
        run(plan, "2025-12-31", "2026-01-10")


def test_heads_and_interests_take_its_vectors(tmp_path: Path) -> None:
    """It has learned by the models' cut-off."""
    world.write(tmp_path, world.reviews(count=900))
    words = 'word2vec: {source: reviews, text: "{body}", fit: 2026-01-20, features: 32, epochs: 10}'
    found = world.specs(tmp_path, world.text("head").replace("hashing: {features: 128}", words))
    cut = world.FIRST + 100 * world.DAY
    metrics = world.fitted(tmp_path, found, cut).version.metrics
    assert metrics["accuracy"] > max(0.75, metrics["baseline_accuracy"] + 0.1)
    assert world.fitted(tmp_path, found, cut, "likes").registered

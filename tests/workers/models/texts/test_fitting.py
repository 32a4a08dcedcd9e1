"""Versions of models of texts: what they know, what they are worth, and that they are the same again."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.language.errors import LimnerError
from limner.workers.models.texts.rows import Texts, read_texts, request_of, staged
from limner.workers.models.texts.scoring import TEXT, read_content, read_head, read_scorer
from limner.workers.models.texts.training import split
from limner.workers.models.versions import registered
from tests.workers.models.texts.world import (
    DAY,
    FIRST,
    METHODS,
    MOODS,
    TAGS,
    Review,
    context,
    fitted,
    reviews,
    specs,
    text,
    write,
)

CUT = FIRST + 60 * DAY


@pytest.mark.parametrize("method", METHODS)
def test_a_version_knows_nothing_after_its_cut_off_and_is_the_same_again(method: str, tmp_path: Path) -> None:
    rows = reviews()
    known = [row for row in rows if row.written <= CUT]
    later = [
        replace(row, body="other " + row.body, mood=MOODS[number % 2])
        for number, row in enumerate(rows)
        if row.written > CUT
    ]
    made = []
    for name, some in (("a", rows), ("b", rows[::-1]), ("c", [*known, *later])):
        write(tmp_path / name, some)
        found = specs(tmp_path / name, text(method))
        made.append(fitted(tmp_path / name, found, CUT).version)
    assert made[0] == made[1] == made[2]
    assert made[0].id == made[2].id
    again = fitted(tmp_path / "a", specs(tmp_path / "a", text(method)), CUT)
    assert again.there
    assert again.version == made[0]


@pytest.mark.parametrize("method", METHODS)
def test_it_tells_later_texts_apart(method: str, tmp_path: Path) -> None:
    """Labels are wrong one time in ten: nobody can do better than 0.9."""
    write(tmp_path, reviews(count=900))
    metrics = fitted(tmp_path, specs(tmp_path, text(method)), FIRST + 100 * DAY).version.metrics
    assert metrics["accuracy"] > max(0.78, metrics["baseline_accuracy"] + 0.1)
    assert metrics["calibration_error"] < 0.15
    assert 0.0 < metrics["log_loss"] < 0.6


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_are_those_of_a_text_by_itself(method: str, tmp_path: Path) -> None:
    write(tmp_path, reviews())
    version = fitted(tmp_path, specs(tmp_path, text(method)), CUT).version
    data = tmp_path / "data"
    random = np.random.default_rng(0)
    if method == "head":
        vectors = random.normal(size=(300, 128)).astype(np.float32)
        head = read_head(data, "mood", version.id)
        whole = head.probabilities(vectors)
        alone = np.concatenate([head.probabilities(vectors[i : i + 1]) for i in range(300)])
    else:
        texts = [row.body for row in reviews(3, 300)] + ["", "x", "良い", "a" * 1000]
        read = read_scorer(data, "mood", version.id)
        whole, alone = read(texts), np.concatenate([read([each]) for each in texts])
    assert np.array_equal(whole, alone)
    assert np.allclose(whole.sum(axis=1), 1.0)
    assert (whole >= 0).all()


def test_interests_find_what_users_like(tmp_path: Path) -> None:
    rows = reviews()
    write(tmp_path, rows)
    version = fitted(tmp_path, specs(tmp_path, text()), CUT, "likes").version
    head = read_head(tmp_path / "data", "likes", version.id)
    from limner.workers.text.terms import TermsEncode, terms_model

    model = terms_model(specs(tmp_path, text()), "counts", tmp_path / "data")
    about = [row for row in rows if len(row.body.split()) > 1]
    said = head.probabilities(TermsEncode(model)([row.body for row in about]).vectors)
    right = said.argmax(axis=1) == np.array([list(TAGS).index(row.tag) for row in about])
    assert right.mean() > 0.9


def test_examples_make_a_head_where_they_suffice(tmp_path: Path) -> None:
    write(tmp_path, reviews())
    spec = text()
    for tag, words in TAGS.items():
        spec = spec.replace(
            f'"{" ".join(words)}"', f"{tag}, examples: {[f'my {a} and {b}' for a in words for b in words if a < b]}"
        )
    found = specs(tmp_path, spec)
    version = fitted(tmp_path, found, CUT, "likes").version
    assert version.notes[0].startswith("a head")
    assert version.metrics["accuracy"] > 0.9


Rows = st.lists(
    st.tuples(
        st.sampled_from(["good", "bad", "so so", " good ", "", "a b"]),
        st.sampled_from(["negative", "positive", "other", None]),
        st.integers(0, 20),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=25,
)


@settings(deadline=None, max_examples=50)
@given(rows=Rows)
def test_texts_are_those_that_brute_force_finds(
    rows: list[tuple[str, str | None, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("texts")
    written = [
        Review(1, FIRST + at * DAY, FIRST + (at + late) * DAY, body, mood, 1, "", "") for body, mood, at, late in rows
    ]
    write(root, written)
    found, cut = specs(root, text()), FIRST + 10 * DAY
    model = found.models["mood"]
    request = request_of(found, model, cut, "", root, root / "data", root / "stage", context())
    prepared = staged(request, context())
    texts, count = read_texts(prepared.shards[0], prepared.texts[TEXT], model.classifier, FIRST + DAY)

    expected: dict[str, list[tuple[int, int]]] = {}
    for row in written:
        body = " ".join(row.body.split())
        known = max(row.written, row.at + 1)  # a row is known after it happened
        if body and row.mood in MOODS and FIRST + DAY < known <= cut:
            expected.setdefault(body, []).append((known, MOODS.index(row.mood)))
    assert count == sum(map(len, expected.values()))
    said = {
        each: (int(known), int(label)) for each, known, label in zip(texts.text, texts.known, texts.label, strict=True)
    }
    assert said == {
        body: (min(known for known, _ in some), _most([label for _, label in some])) for body, some in expected.items()
    }
    assert (np.diff(texts.known) >= 0).all()


def _most(labels: list[int]) -> int:
    counts = Counter(labels)
    return min(counts, key=lambda each: (-counts[each], each))


def test_texts_are_split_by_time_and_never_by_chance() -> None:
    import pyarrow as pa

    known = np.repeat(np.arange(10), 3)
    digests = pa.array([bytes([i]) * 16 for i in range(30)], pa.binary(16))
    early, late = split(Texts(digests, ["x"] * 30, known, np.zeros(30, int)))
    assert early.known.max() < late.known.min()
    assert len(late) == 6


def test_one_class_is_nothing_to_learn_from(tmp_path: Path) -> None:
    write(tmp_path, [replace(row, mood="positive") for row in reviews()])
    with pytest.raises(LimnerError, match=r"model mood: all \d+ texts are good, so there is nothing to tell apart"):
        fitted(tmp_path, specs(tmp_path, text()), CUT)
    assert not registered(tmp_path / "data", "mood")


def test_nor_are_rows_that_come_later(tmp_path: Path) -> None:
    write(tmp_path, reviews())
    for name, what in (("mood", "a text and a label that means a class"), ("likes", "a text")):
        with pytest.raises(LimnerError, match=f"no row of reviews that is known by 2025-12-31.* has {what}: choose"):
            fitted(tmp_path, specs(tmp_path, text()), FIRST - DAY, name)


def test_a_text_that_holds_its_label_is_suspicious(tmp_path: Path) -> None:
    write(tmp_path, [replace(row, mood=row.feels, body=f"{row.body} {row.feels}") for row in reviews(noise=0.0)])
    found = specs(tmp_path, text())
    made = fitted(tmp_path, found, CUT, allow=False)
    assert not made.registered
    assert made.version.suspicious == "{body}"
    assert not registered(tmp_path / "data", "mood")
    assert fitted(tmp_path, found, CUT).registered


def test_a_version_whose_bytes_are_others_is_not_asked(tmp_path: Path) -> None:
    write(tmp_path, reviews())
    version = fitted(tmp_path, specs(tmp_path, text("textcnn")), CUT).version
    path = tmp_path / "data" / "models" / "mood" / version.id / "arrays.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    read_content.cache_clear()
    with pytest.raises(LimnerError, match=r"the bytes of arrays\.safetensors are not those that were registered"):
        read_content(tmp_path / "data", "mood", version.id)

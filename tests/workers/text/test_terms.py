"""Encoders that count terms: what scikit-learn says, what a fit learns, and when."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.language.closure import closure, from_closure
from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.language.repo import Specs, load_texts
from limner.workers.context import RunContext
from limner.workers.encoder.settings import TritonSettings
from limner.workers.ledger import Ledger
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.report import silent
from limner.workers.run import RunResult, materialize
from limner.workers.tasks import InProcess
from limner.workers.text.encode import encode_with
from limner.workers.text.fit import learn, read_fit
from limner.workers.text.terms import TermsEncode, TermsModel, terms_model
from tests.oracle.pipeline import Memory

TEXTS = ["fresh milk and bread", "Fresh bread", "milk", "cheese, milk & bread", "我喜欢牛奶", "牛奶", "!!!", "a", ""]
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: notes
path: notes.parquet
event_timestamp: at
---
source: reviews
path: reviews.parquet
event_timestamp: at
clean: {text: {body: {case: lower}}}
---
encoder: terms
tfidf: {source: reviews, text: "{body}", fit: 2026-01-03, features: 5}
---
encoder: words
hashing: {features: 64, ngrams: [1, 2]}
---
feature_view: mood
entity: user
source: notes
every: 1d
features:
  terms: {embed: "{text}", encoder: terms}
  words: {embed: "{text}", encoder: words}
  both: {embed: "{text} {text}", encoder: words, prefix: "about "}
"""


def specs(*changes: tuple[str, str]) -> Specs:
    text = SPECS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return load_texts({"specs.yaml": text})


def hashing(keys: dict[str, Any]) -> TermsModel:
    return terms_model(specs(("{features: 64, ngrams: [1, 2]}", json.dumps(keys))), "words", Path("data"))


@pytest.mark.parametrize("analyzer", ["word", "char", "char_wb"])
@pytest.mark.parametrize("ngrams", [[1, 1], [1, 2], [2, 3]])
def test_hashing_is_that_of_scikit_learn(analyzer: str, ngrams: list[int]) -> None:
    """To the last bit, and whatever else is encoded beside it."""
    from sklearn.feature_extraction.text import HashingVectorizer

    model = hashing({"features": 32, "analyzer": analyzer, "ngrams": ngrams})
    sklearn = HashingVectorizer(n_features=32, analyzer=analyzer, ngram_range=(ngrams[0], ngrams[1]))
    vectors = TermsEncode(model)(TEXTS).vectors
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, sklearn.transform(TEXTS).toarray().astype(np.float32))
    for text, vector in zip(TEXTS, vectors, strict=True):
        assert TermsEncode(model)([text]).vectors.tobytes() == vector.tobytes()


@pytest.mark.parametrize("analyzer", ["word", "char"])
def test_tfidf_is_that_of_scikit_learn(analyzer: str, tmp_path: Path) -> None:
    """With as many features as there are terms; beyond them a vector is zeros."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    change = ("features: 5", f"features: 300, analyzer: {analyzer}, ngrams: [1, 2]")
    model = terms_model(specs(change), "terms", tmp_path)
    assert model.fitted is not None
    learned = learn(cast("Any", model.terms), iter(TEXTS))
    sklearn = TfidfVectorizer(analyzer=analyzer, ngram_range=(1, 2)).fit(TEXTS)
    assert list(learned.idf) == list(sklearn.get_feature_names_out())
    np.testing.assert_allclose(list(learned.idf.values()), sklearn.idf_, rtol=1e-15)
    model.fitted.parent.mkdir(parents=True)
    model.fitted.write_text(json.dumps({"idf": learned.idf}))
    vectors = TermsEncode(model)(TEXTS).vectors
    terms = len(learned.idf)
    np.testing.assert_allclose(vectors[:, :terms], sklearn.transform(TEXTS).toarray(), atol=1e-7)
    assert not vectors[:, terms:].any()


def test_the_most_frequent_terms_are_learned_in_no_order_of_texts() -> None:
    """Of equally frequent ones the first by name; the rare ones of `min_df` not at all."""
    model = terms_model(specs(("features: 5", "features: 2")), "terms", Path("data"))
    assert list(learn(cast("Any", model.terms), iter(TEXTS)).idf) == ["bread", "milk"]
    assert learn(cast("Any", model.terms), iter(TEXTS)) == learn(cast("Any", model.terms), iter(TEXTS[::-1]))
    rare = terms_model(specs(("features: 5", "features: 9, min_df: 2")), "terms", Path("data"))
    assert list(learn(cast("Any", rare.terms), iter(TEXTS)).idf) == ["bread", "fresh", "milk"]


CHANGES = [
    ("path: reviews.parquet", "path: reviews2.parquet"),
    ("case: lower", "case: keep"),
    ('text: "{body}", fit', 'text: "{body}!", fit'),
    ("2026-01-03", "2026-01-04"),
    ("features: 5", "features: 7"),
    ("features: 5", "features: 5, analyzer: char"),
    ("features: 5", "features: 5, ngrams: [1, 2]"),
    ("features: 5", "features: 5, lowercase: false"),
    ("features: 5", "features: 5, min_df: 2"),
    ("features: 5}", "features: 5}\nnormalize: false"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[1])
def test_whatever_decides_a_vector_is_in_the_identity(change: tuple[str, str], tmp_path: Path) -> None:
    """Of a tfidf encoder: its source with the cleaning, the instant, the options."""
    assert (
        terms_model(specs(change), "terms", tmp_path).fingerprint != terms_model(specs(), "terms", tmp_path).fingerprint
    )


def test_what_decides_no_vector_is_not_in_the_identity(tmp_path: Path) -> None:
    """Descriptions, defaults that are spelled out, other documents."""
    for change in [
        ("encoder: terms\n", "encoder: terms\ndescription: words\n"),
        ("features: 5", "features: 5, min_df: 1, analyzer: word, ngrams: [1, 1], lowercase: true"),
        ("path: notes.parquet", "path: other.parquet"),
        ("2026-01-03", '"2026-01-03T01:00:00+01:00"'),
    ]:
        same = terms_model(specs(change), "terms", tmp_path)
        assert same.fingerprint == terms_model(specs(), "terms", tmp_path).fingerprint


@pytest.fixture
def plan(tmp_path: Path) -> ViewPlan:
    """Reviews of other users teach; the view's own rows are notes."""
    _write(
        tmp_path / "notes.parquet", {"user_id": [1, 2], "text": ["Good milk", "bread"]}, ["2026-01-01", "2026-01-04"]
    )
    bodies = ["Good milk", "good bread", "good milk", "cheese"]
    _write(tmp_path / "reviews.parquet", {"body": bodies}, ["2026-01-01", "2026-01-02", "2026-01-02", "2026-01-03"])
    return plan_view(specs(), "mood", tmp_path, tmp_path / "data")


def _write(path: Path, columns: dict[str, Any], days: list[str]) -> None:
    at = pa.array([parse_instant(day) for day in days], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({**columns, "at": at}), path)


def run(plan: ViewPlan, start: str, end: str) -> RunResult:
    """Nothing listens where Triton would be."""
    settings = TritonSettings(url="127.0.0.1:1")
    context = RunContext(
        workers=InProcess(),
        encode_with=lambda model: encode_with(settings, model),
        reporter=silent,
        ledger=cast("Ledger", Memory()),
        run_id="run",
        shards=2,
    )
    return materialize(plan, parse_instant(start), parse_instant(end), context)


def values(result: RunResult) -> list[tuple[str, int, bool]]:
    """Day, user and whether there is a tfidf vector, of each history row."""
    rows = [row for part in result.history.parts() for row in pq.read_table(part.path).to_pylist()]
    found = [(f"{row['event_timestamp']:%d}", row["user_id"], row["terms"] is not None) for row in rows]
    assert all(row["words"] is not None and row["both"] is not None for row in rows)
    return sorted(found)


def test_a_view_of_counted_terms_needs_no_server(plan: ViewPlan) -> None:
    """And its tfidf vectors begin at the fit, also for an entity that did nothing then."""
    result = run(plan, "2025-12-31", "2026-01-10")
    assert values(result) == [("02", 1, False), ("03", 1, True), ("05", 2, True)]
    model = plan.encoders["terms"]
    assert isinstance(model, TermsModel)
    assert model.fitted is not None
    assert list(read_fit(model.fitted)) == ["bread", "good", "milk"]  # cheese came after


def test_it_learns_when_a_run_reaches_its_instant(plan: ViewPlan) -> None:
    """Not before; and what it learned stays, whatever the source holds later."""
    model = plan.encoders["terms"]
    assert isinstance(model, TermsModel)
    assert model.fitted is not None
    assert values(run(plan, "2025-12-31", "2026-01-02")) == [("02", 1, False)]
    assert not model.fitted.exists()
    run(plan, "2026-01-02", "2026-01-03")
    learned = model.fitted.read_bytes()
    _write(plan.root / "reviews.parquet", {"body": ["other"]}, ["2026-01-01"])
    assert values(run(plan, "2026-01-03", "2026-01-10")) == [("02", 1, False), ("03", 1, True), ("05", 2, True)]
    assert model.fitted.read_bytes() == learned


def test_a_fit_that_was_lost_is_not_made_anew(plan: ViewPlan) -> None:
    """Vectors were made with it: another one would make others."""
    model = plan.encoders["terms"]
    assert isinstance(model, TermsModel)
    assert model.fitted is not None
    run(plan, "2025-12-31", "2026-01-04")
    model.fitted.unlink()
    with pytest.raises(LimnerError, match=r"is gone.*restore it, or give the encoder another instant"):
        run(plan, "2026-01-04", "2026-01-10")


def test_nothing_to_learn_is_an_error_that_says_so(plan: ViewPlan) -> None:
    """An encoder that knows no term would give zeros for ever."""
    _write(plan.root / "reviews.parquet", {"body": ["late"]}, ["2026-01-09"])
    with pytest.raises(LimnerError, match=r"encoder 'terms': nothing to learn from 0 texts of source 'reviews'"):
        run(plan, "2025-12-31", "2026-01-10")


def test_a_view_comes_back_from_its_closure_with_what_its_encoders_learn_from(plan: ViewPlan) -> None:
    """The run of what was applied knows the source of the fit, too."""
    back = from_closure(closure(plan.specs, "mood"))
    assert set(back.sources) == {"notes", "reviews"}
    again = plan_view(back, "mood", plan.root, plan.data)
    assert again.fingerprint == plan.fingerprint
    assert again.outputs == plan.outputs
    assert replace(plan, specs=back).encoders == again.encoders

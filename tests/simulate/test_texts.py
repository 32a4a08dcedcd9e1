"""Reviews and searches are varied, some are slipped in, and what they say can be learned."""

from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from limner.simulate.catalog import CATEGORIES, TAGS
from limner.simulate.queries import queries
from limner.simulate.review_texts import review_texts
from limner.simulate.typos import slipped
from limner.simulate.visits import INTENTS
from limner.simulate.words import LANGUAGES, SENTIMENTS, words

COUNT = 20_000


def written(language: str, count: int = COUNT) -> tuple[list[str], np.ndarray]:
    """Reviews of one language, and their sentiments."""
    rng = np.random.default_rng(5)
    sentiment = rng.choice(len(SENTIMENTS), count, p=[0.25, 0.15, 0.6])
    category = rng.integers(0, len(CATEGORIES), count)
    language_codes = np.full(count, LANGUAGES.index(language))
    return review_texts(rng, language_codes, sentiment, category).to_pylist(), sentiment


@pytest.mark.parametrize("language", LANGUAGES)
def test_most_reviews_are_distinct_and_a_quarter_are_what_many_write(language: str) -> None:
    """As in real shops: `good`, and stories of their own."""
    texts, _ = written(language)
    counts = Counter(texts)
    assert 0.2 < sum(count for count in counts.values() if count > 1) / len(texts) < 0.35
    assert len(counts) > 0.7 * len(texts)
    assert all(text and text == text.strip() and "  " not in text and "{" not in text for text in texts)
    assert np.quantile([len(text) for text in texts], 0.95) > 4 * np.quantile([len(text) for text in texts], 0.25)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentiment_can_be_learned_from_the_words(language: str) -> None:
    """By the plainest of models, well but not perfectly: words are denied, concessions taken back."""
    texts, sentiment = written(language, 6_000)
    analyzer = "char" if language == "zh" else "word"
    vectors = TfidfVectorizer(analyzer=analyzer, ngram_range=(1, 2)).fit_transform(texts)
    model = LogisticRegression(max_iter=300).fit(vectors[:4_000], sentiment[:4_000])
    assert 0.85 < model.score(vectors[4_000:], sentiment[4_000:]) < 0.995


def test_languages_keep_apart() -> None:
    """Chinese reviews have no English words, and the other way round."""
    assert not [text for text in written("zh", 3_000)[0] if any(char.isascii() and char.isalpha() for char in text)]
    assert not [text for text in written("en", 3_000)[0] if not text.isascii()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sentiment_has_enough_phrases(language: str) -> None:
    """Both languages have all parts, of one shape."""
    own, other = words(language), words("en")
    assert own.keys() == other.keys()
    assert list(own["tags"]) == list(TAGS)
    for sentiment in SENTIMENTS:
        assert {key: len(own[sentiment][key]) > 8 for key in other[sentiment]} == dict.fromkeys(other[sentiment], True)
        assert sum(map(len, own[sentiment].values())) >= 60
    assert tuple(own["searches"])[: len(INTENTS)] == INTENTS


def test_searches_name_what_is_looked_for() -> None:
    """The noun is in every search; a word about price only where prices matter."""
    category = np.arange(len(CATEGORIES)).repeat(50)
    count = len(category)
    rng = np.random.default_rng(2)
    intent = rng.integers(0, len(INTENTS), count)
    texts = queries(rng, np.zeros(count, dtype=int), intent, category, np.zeros(count)).to_pylist()
    nouns = [entry["en"] for tag in TAGS for entry in words("categories")[tag]["categories"].values()]
    assert all(nouns[code] in text for code, text in zip(category, texts, strict=True))
    assert not [text for text in texts if "cheap" in text.split() or "  " in text]


def test_a_typo_is_one_slip() -> None:
    """A letter swapped with its neighbour, lost or doubled; in Chinese one that sounds alike."""
    rng = np.random.default_rng(3)
    slips = {slipped(rng, "really", {}) for _ in range(200)}
    assert {"relaly", "rally", "reeally"} <= slips
    assert all(abs(len(slip) - 6) <= 1 and slip[0] == "r" for slip in slips)
    assert slipped(rng, "真的好", {"的": "得"}) == "真得好"
    assert slipped(rng, "好", {"的": "得"}) == "好"
    assert slipped(rng, "ok", {}) == "ok"

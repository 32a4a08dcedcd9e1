"""`limner evaluate` of interests: on later texts of which a column says what they are about."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from limner.language.errors import LimnerError
from limner.workers.evaluation.versions.run import Evaluated, evaluated
from limner.workers.models.texts.learned import Head
from limner.workers.models.texts.scoring import read_content
from limner.workers.models.versions import Version
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.models import encoder_model
from tests.workers.models.texts.world import (
    DAY,
    FIRST,
    SPECS,
    TAGS,
    Review,
    context,
    fitted,
    reviews,
    specs,
    text,
    write,
)

CUT, LATER = FIRST + 60 * DAY, FIRST + 300 * DAY
TRUTH = "truth: {column: topic, tags: {fashion: fashion, baby: baby, garden: garden}}"
ASKED = SPECS.replace("tags:\n    fashion", f"{TRUTH}\n  tags:\n    fashion")


def made(root: Path, rows: list[Review], spec: str = ASKED, cut_off: int = CUT) -> Version:
    root.mkdir(exist_ok=True)
    write(root, rows)
    return fitted(root, specs(root, text(spec=spec)), cut_off, "likes").version


def measured(root: Path, version: Version, spec: str = ASKED, known_by: int = LATER) -> Evaluated:
    found = specs(root, text(spec=spec))
    return evaluated(found, version, root, root / "data", context(), known_by=known_by, draws=60)


def test_what_the_version_says_is_held_to_the_column(tmp_path: Path) -> None:
    rows = reviews()
    version = made(tmp_path, rows)
    told = measured(tmp_path, version).told
    assert told is not None
    first: dict[str, int] = {}
    for row in rows:
        first[row.body] = min(max(row.at + 1, row.written), first.get(row.body, LATER))
    later = {row.body: row.tag for row in rows if " " in row.body and first[row.body] > CUT}
    encoder = encoder_model(specs(tmp_path, text()), "counts", tmp_path, tmp_path / "data")
    head, _ = read_content(tmp_path / "data", "likes", version.id)
    assert isinstance(head, Head)
    counts = np.zeros((3, 3), int)
    for body, tag in later.items():
        digest = pa.array([hashlib.sha256(body.encode()).digest()[:16]], pa.binary(16))
        vector = EmbeddingCache(tmp_path / "data" / "embeddings", encoder).load(digest)
        counts[list(TAGS).index(tag), int(head.probabilities(vector).argmax())] += 1
    assert told.evaluation.confusion is not None
    assert told.evaluation.confusion.counts.tolist() == counts.tolist()
    assert list(told.evaluation.comparison.intervals) == ["likes", "TF-IDF of characters and a line", "majority"]
    assert told.evaluation.comparison.intervals["likes"]["ROC-AUC"].value > 0.9


def test_the_truth_is_no_part_of_what_is_learned(tmp_path: Path) -> None:
    """The version is the same without it; among the tags that are told, the others' weight is left out."""
    rows = reviews()
    version = made(tmp_path, rows)
    assert made(tmp_path, rows, SPECS).id == version.id
    some = ASKED.replace(", garden: garden}", "}")
    told = measured(tmp_path, version, some).told
    assert told is not None
    assert told.evaluation.confusion is not None
    assert told.evaluation.confusion.names == ("fashion", "baby")
    assert "measured among the 2 tags of 3 that topic tells" in told.notes


def test_what_is_known_later_than_one_looks_changes_no_byte_of_the_report(tmp_path: Path) -> None:
    rows, until = reviews(), CUT + 25 * DAY
    known = [row for row in rows if row.at < until and row.written <= until]
    later = [replace(row, body="odd " + row.body, tag="baby") for row in rows if row not in known]
    contents = []
    for name, found in (("a", known), ("b", [*later, *reversed(known)])):
        report = measured(tmp_path / name, made(tmp_path / name, found), known_by=until).report
        assert report is not None
        contents.append(report.read_bytes())
    assert contents[0] == contents[1]


def test_where_few_texts_are_later_all_are_measured_on(tmp_path: Path) -> None:
    """Nothing was learned from their tags. What learns from them takes no part."""
    told = measured(tmp_path, made(tmp_path, reviews()), known_by=CUT).told
    assert told is not None
    assert told.notes[0].startswith("0 texts of which topic says a tag were known first after 2026-03-02")
    assert list(told.evaluation.comparison.intervals) == ["likes", "majority"]


def test_without_a_truth_it_says_what_is_missing(tmp_path: Path) -> None:
    version = made(tmp_path, reviews())
    with pytest.raises(LimnerError, match="add truth to interests, or see `limner models likes`"):
        measured(tmp_path, version, SPECS)
    one = [replace(row, tag="baby") for row in reviews()]
    with pytest.raises(LimnerError, match="does topic say a tag, and of one tag only"):
        measured(tmp_path / "one", made(tmp_path / "one", one))

"""`limner evaluate` of a classifier: on texts first known after its cut-off, beside TF-IDF and the majority."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limner.language.errors import LimnerError
from limner.workers.evaluation.versions.run import Evaluated, evaluated
from limner.workers.models.versions import Version
from tests.workers.models.texts.world import DAY, FIRST, Review, context, fitted, reviews, specs, text, write

CUT, LATER = FIRST + 60 * DAY, FIRST + 300 * DAY
DRAWS = 60


def made(root: Path, rows: list[Review], method: str = "tfidf", cut_off: int = CUT) -> Version:
    root.mkdir(exist_ok=True)
    write(root, rows)
    return fitted(root, specs(root, text(method)), cut_off).version


def measured(root: Path, version: Version, method: str = "tfidf", known_by: int = LATER) -> Evaluated:
    found = specs(root, text(method))
    return evaluated(found, version, root, root / "data", context(), known_by=known_by, draws=DRAWS)


@pytest.mark.parametrize("method", ["tfidf", "head"])
def test_only_texts_that_were_first_known_later_are_measured(tmp_path: Path, method: str) -> None:
    """One that was said before, too, was learned from; the label is that of most of its rows."""
    rows = reviews()
    told = measured(tmp_path, made(tmp_path, rows, method), method).told
    assert told is not None
    assert told.basis == "later"
    first: dict[str, int] = {}
    labels: dict[str, list[str]] = {}
    for row in rows:
        if row.mood is not None:
            known = max(row.at + 1, row.written)
            first[row.body] = min(known, first.get(row.body, known))
            labels.setdefault(row.body, []).append(row.mood)
    later = [body for body, known in first.items() if known > CUT]
    truth = [labels[body].count("positive") > len(labels[body]) / 2 for body in later]
    assert told.evaluation.confusion is not None
    assert told.evaluation.confusion.names == ("bad", "good")
    assert told.evaluation.confusion.counts.sum(axis=1).tolist() == [truth.count(False), truth.count(True)]
    assert list(told.evaluation.comparison.intervals) == ["mood", "TF-IDF of characters and a line", "majority"]
    assert told.evaluation.comparison.intervals["mood"]["ROC-AUC"].value > 0.8
    assert "majority" not in told.evaluation.comparison.unbeaten()
    assert {each.period for each in told.drift} == {"2026-01", "2026-02", "2026-03", "2026-04"}


def test_what_is_known_later_than_one_looks_changes_no_byte_of_the_report(tmp_path: Path) -> None:
    """Other texts, and other labels of the same texts."""
    rows, until = reviews(), CUT + 25 * DAY
    known = [row for row in rows if row.at < until and row.written <= until]
    later = [replace(row, body="odd " + row.body, mood="negative") for row in rows if row not in known]
    again = [replace(row, at=until, written=until + 1, mood="negative") for row in known[-40:]]
    contents = []
    for name, found in (("a", known), ("b", [*later, *again, *reversed(known)])):
        report = measured(tmp_path / name, made(tmp_path / name, found), known_by=until).report
        assert report is not None
        contents.append(report.read_bytes())
    assert contents[0] == contents[1]


def test_too_few_later_texts_are_said_and_the_procedure_is_measured_earlier(tmp_path: Path) -> None:
    """And where that has too few, too, an error says so."""
    version = made(tmp_path, reviews())
    told = measured(tmp_path, version, known_by=CUT).told
    assert told is not None
    assert told.basis == "earlier"
    assert told.notes[0].startswith("0 texts with a label were known first after 2026-03-02")
    few = made(tmp_path / "few", [row for row in reviews() if row.mood][:5], cut_off=LATER)
    with pytest.raises(LimnerError, match="cannot be measured: 0 texts with a label"):
        measured(tmp_path / "few", few)


def test_three_classes_of_which_one_came_no_more_are_decided_by_accuracy(tmp_path: Path) -> None:
    """Its area under the curve is not defined, and would leave the verdict to chance."""
    random = np.random.default_rng(0)
    mixed = [row.at <= CUT - 5 * DAY and random.random() < 0.4 for row in reviews()]
    rows = [replace(row, mood="mixed", body=f"so so {row.body}") if odd else row
            for row, odd in zip(reviews(), mixed, strict=True)]  # fmt: skip
    write(tmp_path, rows)
    spec = text("tfidf").replace("{bad: negative, good: positive}", "{bad: negative, good: positive, plain: mixed}")
    found = specs(tmp_path, spec)
    version = fitted(tmp_path, found, CUT).version
    told = evaluated(found, version, tmp_path, tmp_path / "data", context(), known_by=LATER, draws=DRAWS).told
    assert told is not None
    assert told.evaluation.comparison.measures[0].name == "accuracy"
    assert told.evaluation.comparison.verdict in {"beats", "ties"}

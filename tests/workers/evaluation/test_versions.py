"""`limner evaluate`: a version is measured on what came after it, and on nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limner.language.errors import LimnerError
from limner.workers.evaluation.report import verdict
from limner.workers.evaluation.versions.run import Evaluated, evaluated
from limner.workers.models.versions import Version, folder_of, registered
from tests.workers.models.world import DAY, FIRST, Order, context, fitted, orders, specs, write

CUT = FIRST + 90 * DAY
LATER = FIRST + 400 * DAY  # long after the last order
DRAWS = 60


def made(root: Path, rows: list[Order], cut_off: int = CUT) -> Version:
    """A version of the small world's model."""
    write(root, rows)
    return fitted(root, specs(root), cut_off, allow=True).version


def measured(root: Path, version: Version, known_by: int = LATER, shards: int = 2, alone: bool = True) -> Evaluated:
    """What is told of it."""
    return evaluated(
        specs(root), version, root, root / "data", context(shards), known_by=known_by, draws=DRAWS, alone=alone
    )


def test_a_version_is_measured_on_what_came_after_it(tmp_path: Path) -> None:
    """The figures are those of its own probabilities on examples drawn and labelled by brute force."""
    rows = orders()
    version = made(tmp_path, rows)
    told = measured(tmp_path, version).told
    assert told is not None
    assert told.basis == "later"
    truth = _brute(rows)
    comparison = told.evaluation.comparison
    assert comparison.rows == len(truth)
    assert comparison.entities == len({user for user, _ in truth})
    shares = np.mean(list(truth.values()))
    assert f"{shares:.1%} yes" in told.facts["measured on"]
    assert told.evaluation.confusion is not None
    assert told.evaluation.confusion.counts.sum(axis=1).tolist() == [
        sum(not each for each in truth.values()), sum(truth.values())
    ]  # fmt: skip
    assert list(comparison.intervals)[0::2] == ["churn", "majority"]
    assert told.question == "Of each user: will the count of orders in the next 14d be = 0?"


def _brute(rows: list[Order]) -> dict[tuple[int, int], bool]:
    """By user and instant of the grid: whether nothing came in the next 14 days, of who ordered in 30 days before."""
    monday = FIRST - (FIRST - 4 * DAY) % (7 * DAY)
    newest = max(row.at for row in rows)
    found = {}
    for at in range(monday, newest - 13 * DAY + 1, 7 * DAY):
        if at < CUT:
            continue
        for user in {row.user for row in rows}:
            mine = [row for row in rows if row.user == user]
            if any(at - 30 * DAY <= row.at < at and row.written <= at for row in mine):
                found[user, at] = not any(at <= row.at < at + 14 * DAY for row in mine)
    return found


def test_nothing_known_after_an_instant_decides_what_is_told_by_it(tmp_path: Path) -> None:
    """Nor do shards, the order of rows, or being measured twice: the same bytes of the report."""
    rows, until = orders(), CUT + 60 * DAY
    reports = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        known = [row for row in rows if row.at < until and row.written <= until]
        later = [replace(row, user=row.user % 7 + 1) for row in rows if row not in known] if name == "b" else []
        version = made(tmp_path / name, [*reversed(known), *later] if later else known)
        reports += [measured(tmp_path / name, version, until, shards).report for shards in (1, 3)]
    contents = [path.read_bytes() for path in reports if path is not None]
    assert len(contents) == 4
    assert len(set(contents)) == 1
    assert contents[0].startswith(b"<!doctype html>")
    folder = folder_of(tmp_path / "a" / "data", "churn")
    assert set(registered(tmp_path / "a" / "data", "churn")) == {version.id}
    assert reports[0] == folder / version.id / "report.html"


def test_where_nothing_came_after_it_the_same_procedure_is_measured_earlier(tmp_path: Path) -> None:
    """And that is said, with when."""
    version = made(tmp_path, orders(), CUT)
    found = measured(tmp_path, version, known_by=CUT).told
    assert found is not None
    assert found.basis == "earlier"
    assert "came 0 examples with a complete label" in found.notes[0]
    assert "as of an earlier cut-off, 2026-0" in found.notes[0]


def test_what_cannot_be_measured_says_why(tmp_path: Path) -> None:
    """Alone it is an error; among others, a line."""
    early = FIRST + 27 * DAY
    version = made(tmp_path, orders(), early)
    with pytest.raises(LimnerError, match=r"cannot be measured: after 2026-01-28.* came 0 examples"):
        measured(tmp_path, version, known_by=early)
    assert "cannot be measured" in measured(tmp_path, version, known_by=early, alone=False).why_not
    odd = version.model_copy(update={"kind": "weather"})
    with pytest.raises(LimnerError, match=r"of the kinds .*propensity.*, and churn is weather"):
        measured(tmp_path, odd)


def test_noise_is_said_to_beat_nothing(tmp_path: Path) -> None:
    """Who orders by chance alone is foretold by nothing: an honest verdict, and no failure."""
    random = np.random.default_rng(3)
    rows = []
    for user in range(1, 41):
        for at in sorted(FIRST + random.integers(0, 200 * 24, 8 + user % 3) * (DAY // 24)):
            rows.append(Order(user, int(at), int(at), 5.0, bool(random.random() < 0.5)))
    told = measured(tmp_path, made(tmp_path, rows)).told
    assert told is not None
    assert told.evaluation.comparison.verdict != "beats"
    assert "does not beat" in verdict(told.evaluation.comparison) or "loses" in verdict(told.evaluation.comparison)

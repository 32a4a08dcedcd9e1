"""`limner evaluate` of a model of sequences: what comes next since its cut-off, beside own frequency."""

from dataclasses import replace
from pathlib import Path

import pytest

from limner.language.errors import LimnerError
from limner.workers.evaluation.versions.run import Evaluated, evaluated
from limner.workers.models.versions import Version
from tests.workers.models.sequences.chains import DAY, FIRST, SPECS, Visit, fitted, specs, visits, write
from tests.workers.models.world import context

CUT, LATER = FIRST + 120 * DAY, FIRST + 400 * DAY


QUICK = SPECS.replace("epochs: 6", "epochs: 1")


def made(root: Path, rows: list[Visit], text: str = QUICK) -> Version:
    root.mkdir(exist_ok=True)
    write(root, rows)
    return fitted(root, specs(root, text), CUT).version


def measured(root: Path, version: Version, known_by: int, text: str = QUICK) -> Evaluated:
    return evaluated(specs(root, text), version, root, root / "data", context(), known_by=known_by, draws=60)


def test_what_follows_from_the_item_before_is_foretold_better_than_by_habit(tmp_path: Path) -> None:
    """And all that follows since the cut-off is measured: the number is that of brute force."""
    rows = visits()
    told = measured(tmp_path, made(tmp_path, rows, SPECS), LATER, SPECS).told
    assert told is not None
    comparison = told.evaluation.comparison
    assert comparison.verdict == "beats"
    assert [name.partition(",")[0] for name in comparison.intervals][1:] == ["own frequency", "popularity"]
    last: dict[int, int] = {}
    follow = 0
    for row in (each for each in rows if each.amount > 0):
        follow += row.user in last and row.at > last[row.user] and row.at >= CUT
        last[row.user] = row.at
    assert comparison.rows == follow
    assert told.facts["measured on"].startswith(f"{follow:,} of {follow:,} instants")


def test_what_is_known_later_changes_no_byte_of_the_report(tmp_path: Path) -> None:
    """Rows that came after the instant one looks from are as if they were not."""
    rows, until = visits(users=25), CUT + 15 * DAY
    known = [row for row in rows if row.at < until and row.written <= until]
    later = [replace(row, category="c0") for row in rows if row not in known]
    found = [measured(tmp_path / name, made(tmp_path / name, each), until).report
             for name, each in (("a", known), ("b", [*later, *reversed(known)]))]  # fmt: skip
    first, second = (each.read_bytes() for each in found if each is not None)
    assert first == second


def test_too_little_since_the_cut_off_is_said(tmp_path: Path) -> None:
    """With where an earlier figure is."""
    version = made(tmp_path, [row for row in visits(users=25) if row.at < CUT])
    with pytest.raises(LimnerError, match=r"cannot be measured: since 2026-05-01.* 0 rows followed others"):
        measured(tmp_path, version, LATER)

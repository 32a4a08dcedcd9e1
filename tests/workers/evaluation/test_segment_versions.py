"""`limner evaluate` of segments: hidden groups stand out, chance does not; where data end, nobody is missed."""

from pathlib import Path

import pytest

from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.workers.evaluation.versions.run import Evaluated, evaluated
from limner.workers.models.versions import Version
from tests.workers.models.groups import SPECS, bought, context, write
from tests.workers.models.world import DAY, fitted, specs

CUT = parse_instant("2026-05-01")
FOUR = SPECS.replace("  scale: log_zscore\n", "  k: 4\n  scale: log_zscore\n")


def made(root: Path) -> Version:
    write(root, bought())
    return fitted(root, specs(root, FOUR), CUT, "groups", run=context()).version


def measured(root: Path, version: Version, known_by: int, shards: int = 2) -> Evaluated:
    data = root / "data"
    return evaluated(specs(root, FOUR), version, root, data, context(shards), known_by=known_by, draws=60)


def test_hidden_groups_stand_out_and_stay(tmp_path: Path) -> None:
    """A year after the last row one looks at where the rows end, and there at all who are in a segment."""
    version = made(tmp_path)
    soon, late = (measured(tmp_path, version, CUT + days * DAY) for days in (20, 365))
    assert late.told is not None
    assert soon.told is not None
    assert "as of 2026-05-3" in late.told.facts["measured on"]
    assert "as of 2026-05-21" in soon.told.facts["measured on"]
    for told in (late.told, soon.told):
        assert told.basis == "later"
        assert list(told.evaluation.comparison.intervals) == ["groups", "4 parts along one line", "chance"]
        assert told.evaluation.comparison.verdict == "beats"
        assert told.evaluation.comparison.intervals["groups"]["silhouette"].value > 0.5
        assert [each.title for each in told.charts] == ["Segments"]
        assert "of them in the segment they were in; 0 are new" in told.facts["since the cut-off"]
    assert late.report is not None
    before = late.report.read_bytes()
    again = measured(tmp_path, version, CUT + 365 * DAY, shards=3).report
    assert again is not None
    assert again.read_bytes() == before


def test_without_anything_since_it_is_said_to_be_what_it_was_learned_from(tmp_path: Path) -> None:
    """That is a figure of a fit, and is said to be one."""
    told = measured(tmp_path, made(tmp_path), CUT).told
    assert told is not None
    assert told.basis == "earlier"
    assert "measured on those it was learned from" in told.notes[0]


def test_a_kind_that_nothing_measures_says_what_it_is_told_by(tmp_path: Path) -> None:
    odd = made(tmp_path).model_copy(update={"kind": "moods"})
    with pytest.raises(LimnerError, match="and groups is moods: `limner models groups` says"):
        measured(tmp_path, odd, CUT)

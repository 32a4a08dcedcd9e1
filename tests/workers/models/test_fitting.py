"""Versions: nothing known after the cut-off has a part in one, and what cannot be learned is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.workers.models.contents import read_learned
from limner.workers.models.fitting import due
from limner.workers.models.pins import pins_of
from limner.workers.models.versions import folder_of, registered
from tests.workers.models.world import DAY, FIRST, SPECS, Order, fitted, orders, specs, write

CUT = parse_instant("2026-05-01")


def _files(root: Path) -> dict[str, bytes]:
    folder = folder_of(root / "data", "churn")
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.json"))}


def _fit(root: Path, rows: list[Order], learner: str, shards: int = 2) -> dict[str, bytes]:
    root.mkdir()
    write(root, rows)
    fitted(root, specs(root, learner=learner), CUT, shards=shards, allow=True)
    return _files(root)


@pytest.mark.parametrize("learner", ["logistic", "boosting"])
def test_what_is_known_after_the_cut_off_changes_no_byte(tmp_path: Path, learner: str) -> None:
    """Neither what happened later, nor what happened before and was written later; nor the order of rows, or shards."""
    rows = orders()
    known = [row for row in rows if row.at < CUT and row.written <= CUT]
    random = np.random.default_rng(1)
    later = [replace(row, user=int(random.integers(1, 90)), amount=1e6) for row in rows if row not in known]
    more = [Order(7, CUT - DAY, CUT + 1, 5.0, True), Order(99, CUT, CUT, 5.0, True)]
    assert len(later) > 100
    before = _fit(tmp_path / "a", rows, learner)
    assert len(before) == 2
    assert _fit(tmp_path / "b", [*reversed(known), *later, *more], learner, shards=3) == before
    assert _fit(tmp_path / "c", known, learner) == before
    earlier = [Order(user, CUT - 10 * DAY, CUT, 5.0, True) for user in range(1, 61)]  # known, and in the last label
    assert _fit(tmp_path / "d", [*known, *earlier], learner) != before


def test_a_version_is_made_once_and_a_definition_has_its_own(tmp_path: Path) -> None:
    write(tmp_path, orders())
    found = specs(tmp_path)
    first = fitted(tmp_path, found, CUT)
    again = fitted(tmp_path, found, CUT)
    assert (first.there, again.there, again.version) == (False, True, first.version)
    fitted(tmp_path, found, CUT - 30 * DAY)
    data = tmp_path / "data"
    assert [pin.cut_off for pin in pins_of(found, "churn", tmp_path, data)] == [CUT - 30 * DAY, CUT]
    assert not any(folder_of(data, "churn").glob(".*.tmp"))
    assert list((data / "stage").iterdir()) == []
    other_schedule = specs(
        tmp_path, SPECS.replace("refit: 30d", "refit: 10d").replace("cut_off: 2026", "cut_off: 2025")
    )
    assert len(pins_of(other_schedule, "churn", tmp_path, data)) == 2
    for old, new in (("next: 14d", "next: 13d"), ("[orders, recent]", "[orders]"), ("over: 14d", "over: 13d"),
                     ("{mean: amount", "{max: amount"), ("every: 7d", "every: 14d")):  # fmt: skip
        assert pins_of(specs(tmp_path, SPECS.replace(old, new)), "churn", tmp_path, data) == (), new
    assert len(registered(data, "churn")) == 2


def test_a_version_whose_bytes_changed_is_not_used(tmp_path: Path) -> None:
    write(tmp_path, orders())
    version = fitted(tmp_path, specs(tmp_path), CUT).version.id
    path = folder_of(tmp_path / "data", "churn") / version / "model.json"
    path.write_bytes(path.read_bytes().replace(b'"intercept": ', b'"intercept": 1'))
    with pytest.raises(LimnerError, match="its bytes are not those that were registered"):
        read_learned(tmp_path / "data", "churn", version)


@pytest.mark.parametrize(
    ("change", "cut_off", "said"),
    [
        (("", ""), "2025-12-01", "there is no example before 2025-12-01T00:00:00Z: nobody of the population was known"),
        (('next: 14d, is: "= 0"', 'next: 14d, is: ">= 0"'), "2026-05-01", "examples is yes, so there is nothing to"),
        (('next: 14d, is: "= 0"', 'next: 14d, is: "< 0"'), "2026-05-01", "examples is no, so there is nothing to"),
        (("", ""), "2027-05-01", "so the last 14d tell nothing: choose an earlier cut-off, such as --as-of 2026-05-3"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_said(tmp_path: Path, change: tuple[str, str], cut_off: str, said: str) -> None:
    write(tmp_path, orders())
    with pytest.raises(LimnerError) as caught:
        fitted(tmp_path, specs(tmp_path, SPECS.replace(*change)), parse_instant(cut_off))
    assert said in str(caught.value)
    assert registered(tmp_path / "data", "churn") == {}


def test_a_label_that_leaks_is_named_and_kept_only_by_choice(tmp_path: Path) -> None:
    """Whoever stops sends a gift a few days before: the number of gifts holds the label."""
    rows = [row for user in range(1, 41) for row in _leaky(user)]
    write(tmp_path, rows)
    found = specs(tmp_path, SPECS.replace("over: 14d", "over: lifetime"))
    made = fitted(tmp_path, found, CUT)
    assert (made.registered, made.version.suspicious) == (False, "visits.gifts")
    assert registered(tmp_path / "data", "churn") == {}
    assert fitted(tmp_path, found, CUT, allow=True).registered
    (kept,) = registered(tmp_path / "data", "churn").values()
    assert kept.suspicious == "visits.gifts"


def _leaky(user: int) -> list[Order]:
    """An order every 3 days; users who stop do so by a gift."""
    stops = 30 + user * 5 if user % 2 else 10**6
    days = [day for day in range(2, 150, 3) if day <= stops]
    last = days[-1] if user % 2 else None
    return [Order(user, FIRST + day * DAY, FIRST + day * DAY, 5.0, day == last) for day in days]


def test_missing_values_are_filled_where_a_learner_needs_it_and_that_is_said(tmp_path: Path) -> None:
    write(tmp_path, orders())
    notes = {learner: fitted(tmp_path, specs(tmp_path, learner=learner), CUT, allow=True).version.notes
             for learner in ("logistic", "boosting")}  # fmt: skip
    assert notes == {"logistic": ("the median stands for null in spend.recent (29%)",), "boosting": ()}


def test_too_short_a_time_is_neither_calibrated_on_nor_measured(tmp_path: Path) -> None:
    write(tmp_path, orders())
    version = fitted(tmp_path, specs(tmp_path), FIRST + 27 * DAY).version
    assert "roc_auc" not in version.metrics
    assert [note.partition(":")[0] for note in version.notes][-2:] == ["not calibrated", "not measured"]


def test_the_last_label_is_complete_when_its_rows_have_arrived(tmp_path: Path) -> None:
    """Rows of the last day before the cut-off are not known by then: nobody stopped because of that."""
    write(tmp_path, orders())
    lagging = SPECS.replace("created_timestamp: written", "lag: 5d")
    last = {text: fitted(tmp_path, specs(tmp_path, text), CUT - 3 * DAY, allow=True).version.examples["last"]
            for text in (lagging, SPECS)}  # fmt: skip
    assert last == {lagging: parse_instant("2026-04-06"), SPECS: parse_instant("2026-04-13")}


def test_labels_that_reach_beyond_the_newest_row_have_no_part(tmp_path: Path) -> None:
    """Rows that have not come yet would look like people who stopped."""
    write(tmp_path, [order for order in orders() if order.at < CUT - 12 * DAY])
    complete, beyond = (fitted(tmp_path, specs(tmp_path), cut, allow=True).version for cut in (CUT - 12 * DAY, CUT))
    assert beyond.examples["last"] == complete.examples["last"]
    assert beyond.data == complete.data
    assert any("is of 2026-04-18" in note for note in beyond.notes), beyond.notes
    with pytest.raises(LimnerError, match="tell nothing: choose an earlier cut-off, such as --as-of 2026-04-18"):
        fitted(tmp_path, specs(tmp_path), CUT + 90 * DAY)


def test_the_schedule_says_which_versions_are_due(tmp_path: Path) -> None:
    write(tmp_path, orders())
    model = specs(tmp_path).models["churn"]
    assert due(model, CUT + 65 * DAY) == (CUT, CUT + 30 * DAY, CUT + 60 * DAY)
    assert due(model.model_copy(update={"refit": None}), CUT + 65 * DAY) == (CUT,)
    with pytest.raises(LimnerError, match="its first cut-off is 2026-05-01T00:00:00Z, and that has not come yet"):
        due(model, CUT - 1)

"""`limner diff`: one entity between two instants, and between two versions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import Limner

from limner.cli.commands.diff import words
from limner.feature_repo.diff import Difference, ViewDifference, diff, feature_difference
from limner.language.errors import LimnerError
from limner.workers.history.served import pointers
from tests.integration.feast_project import DAY, FIRST, apply, events
from tests.integration.versions import SPECS, make_versions, orders, write_weights

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("views")]
ROWS = events(count=200, users=6, days=20, seed=5)
END = FIRST + 12 * DAY
MORE = """
---
entity: visit
join_keys: {kind: string, user_id: int}
---
source: sales
path: events/*.parquet
event_timestamp: at
---
feature_view: visits
entity: visit
source: sales
every: 1d
features:
  bought: {count: "*", over: 3d}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, marking: None) -> Path:
    """Two versions of `taste` and `looks`, by weights; the later one of `taste` counts over other days too."""
    specs = SPECS.replace("over: 7d}", "over: 7d}\n  kinds: {top: 3, of: kind, over: 4d}") + MORE
    repo = make_versions(tmp_path_factory.mktemp("diff") / "project", ROWS, specs)
    apply(repo).materialize(FIRST, END)
    write_weights(repo.parent, 2)
    later = specs.replace(
        'orders: {count: "*", over: 7d}', 'orders: {count: "*", over: 9d}\n  fresh: {count: "*", over: 1d}'
    )
    (repo.parent / "specs" / "shop.yaml").write_text(later)
    apply(repo).materialize_incremental(END + DAY)
    return repo.parent


def named(found: ViewDifference) -> dict[str, Difference]:
    return {each.feature: each for each in found.features}


def test_between_two_instants(root: Path) -> None:
    """Values of the served version as of each; what did not change is the same."""
    early, late = FIRST + 4 * DAY, FIRST + 11 * DAY
    (found,) = diff(root, early.isoformat(), late.isoformat(), "1", "taste")
    assert found.known == (True, True)
    assert found.fingerprints[0] == found.fingerprints[1]
    one = named(found)["orders"]
    assert (one.before, one.after) == (orders(ROWS, 1, 9, early), orders(ROWS, 1, 9, late))
    assert one.state == "changed"
    assert named(found)["likes"].cosine == pytest.approx(1), "one axis"
    kinds = named(found)["kinds"]
    gone = [f"- {kind}" for kind in kinds.before if kind not in kinds.after]
    assert list(kinds.details) == [f"+ {kind}" for kind in kinds.after if kind not in kinds.before] + gone
    (same,) = diff(root, late.isoformat(), late.isoformat(), "user_id=1", "taste")
    assert {each.state for each in same.features} == {"same"}


def test_between_two_versions(root: Path) -> None:
    """At the instant both have reached: features that came, values that changed, vectors of two encoders."""
    pointer = pointers(root / "data" / "history")["taste"]
    (found,) = diff(root, pointer.earlier[0][:8], pointer.fingerprint[:8], "1")
    assert found.view == "taste"
    assert found.instants == (_micros(END), _micros(END))
    by_name = named(found)
    assert (by_name["orders"].before, by_name["orders"].after) == (orders(ROWS, 1, 7, END), orders(ROWS, 1, 9, END))
    assert by_name["fresh"].state == "added"
    assert by_name["likes"].cosine == 0, "vectors of two encoders are strangers"
    (back,) = diff(root, pointer.fingerprint, pointer.earlier[0], "1")
    assert named(back)["fresh"].state == "removed"


def _micros(moment: Any) -> int:
    return int(np.datetime64(moment.replace(tzinfo=None), "us").astype(int))


def test_a_profile_narrows_and_every_view_of_the_entity_is_shown_without_one(root: Path) -> None:
    """Views of another entity are left out by a key that does not fit them, and found by one that does."""
    instants = (FIRST + 5 * DAY).isoformat(), (FIRST + 9 * DAY).isoformat()
    assert [each.view for each in diff(root, *instants, "1", "everything")] == ["taste", "looks"]
    assert [each.view for each in diff(root, *instants, "1")] == ["looks", "taste"]
    (visits,) = diff(root, *instants, "book,1", "visits")
    assert diff(root, *instants, "user_id=1,kind=book", "visits") == (visits,)
    assert {each.view for each in diff(root, *instants, "user_id=1,kind=book")} == {"looks", "taste", "visits"}


def test_strangers_and_instants_to_come(root: Path) -> None:
    """Nobody knows user 99; beyond the last run, values are those of that run, and it is said."""
    (found,) = diff(root, "2026-01-05", "2026-03-01", "99", "taste")
    assert found.known == (False, False)
    assert "later than the last run" in found.note
    (found,) = diff(root, "2025-12-01", "2026-01-09", "1", "taste")
    assert found.known == (False, True)


@pytest.mark.parametrize(
    ("a", "b", "key", "name", "message"),
    [
        ("2026-01-05", "cafe00", "1", None, "two instants, or two fingerprints"),
        ("yesterday", "2026-01-05", "1", None, "neither an instant .* nor the first digits"),
        ("cafe00", "cafe01", "1", None, "no view has a history of cafe00 and one of cafe01: there is looks "),
        ("2026-01-05", "2026-01-06", "1", "tast", "did you mean 'taste'"),
        ("2026-01-05", "2026-01-06", "one", "taste", "join key 'user_id' of taste is a whole number, not 'one'"),
        (
            "2026-01-05",
            "2026-01-06",
            "1",
            "visits",
            "visits is keyed by kind, user_id: give --key kind=",
        ),
        ("2026-01-05", "2026-01-06", "a,b,c", None, "no view is keyed as --key a,b,c is written"),
    ],
)
def test_mistakes(root: Path, a: str, b: str, key: str, name: str | None, message: str) -> None:
    """One message each."""
    with pytest.raises(LimnerError, match=message):
        diff(root, a, b, key, name)


def test_what_is_printed(root: Path, limner: Limner) -> None:
    """A line a feature that differs, and the number of those that do not."""
    pointer = pointers(root / "data" / "history")["taste"]
    said = limner("-C", root, "diff", pointer.earlier[0][:12], pointer.fingerprint[:12], "--key", "1")
    assert said.code == 0, said.err
    assert "cosine 0.0000" in said.out
    assert f"{orders(ROWS, 1, 7, END)} → {orders(ROWS, 1, 9, END)}" in said.out
    assert "unchanged" in said.out
    told = limner("-C", root, "diff", "2026-01-03", "2026-01-05", "--key", "1", "--json")
    assert told.code == 0
    assert '"view": "taste"' in told.out
    assert limner("-C", root, "diff", "2026-01-03", "2026-01-05", "--key", "99").code == 1


def test_lists_of_numbers_are_compared_place_by_place_and_maps_by_key() -> None:
    """A histogram says which hours differ; floats are shortened."""

    def difference(name: str, before: Any, after: Any) -> Difference:
        return feature_difference(name, {name: before}, {name: after}, ({}, {}))

    histogram = difference("hours", [1, 2, 3], [1, 5, 3])
    assert words(histogram) == "[1] 2 → 5"
    assert words(difference("by", {"a": 0.1 + 0.2, "b": 1.0}, {"a": 0.5, "c": 2.0})) == "+ c 2, - b 1, a 0.3 → 0.5"
    assert words(difference("top", ["x", "y"], ["y", "z"])) == "+ z, - x"

"""Segments: hidden groups are found again, and stay what they are from version to version."""

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.language.repo import Specs
from limner.workers.models.contents import read_segmentation
from limner.workers.models.drawing import examples
from limner.workers.models.segment_why import Asked, segment_why
from limner.workers.models.segmentation import Segmentation
from limner.workers.models.versions import folder_of, registered
from limner.workers.plan import plan_view
from tests.workers.models.groups import KINDS, SPECS, Bought, bought, context, kind_of, write
from tests.workers.models.world import DAY, FIRST, fitted, specs

CUT = parse_instant("2026-05-01")
MODEL = SPECS[SPECS.index("  features: [habits: [orders, amount]]") : SPECS.index("cut_off: 2026-05-01")]
FOUR = "  features: [habits: [orders, amount]]\n  k: 4\n  scale: log_zscore\n"


def _specs(root: Path, learns: str = MODEL) -> Specs:
    return specs(root, SPECS.replace(MODEL, learns))


def _fit(root: Path, cut_off: int = CUT, learns: str = FOUR, shards: int = 2) -> tuple[str, Segmentation]:
    made = fitted(root, _specs(root, learns), cut_off, "groups", run=context(shards))
    assert made.registered
    return made.version.id, read_segmentation(root / "data", "groups", made.version.id)


def _files(root: Path) -> dict[str, bytes]:
    folder = folder_of(root / "data", "groups")
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.json"))}


def _values(rows: list[Bought], instant: int) -> dict[int, tuple[float, float | None]]:
    """By brute force: number of orders and mean amount of 30 days, of who is known at an instant of the grid."""
    found = {}
    for user in sorted({row.user for row in rows if row.at < instant and row.written <= instant}):
        mine = [row for row in rows if row.user == user and row.written <= instant]
        mine = [row for row in mine if instant - 30 * DAY <= row.at < instant]
        paid = [row.amount for row in mine if row.amount is not None]
        found[user] = (float(len(mine)), math.fsum(paid) / len(paid) if paid else None)
    return found


def _said(content: Segmentation, wanted: str, values: dict[int, tuple[float, float | None]]) -> dict[int, int]:
    """By user, what a version says of values."""
    columns = {
        "habits.amount": pa.array([amount for _, amount in values.values()], pa.float64()),
        "habits.orders": pa.array([orders for orders, _ in values.values()], pa.float64()),
    }
    return dict(zip(values, content.says(wanted, columns).to_pylist(), strict=True))


def _rand(one: list[int], other: list[int]) -> float:
    """The adjusted Rand index (L. Hubert and P. Arabie, 1985)."""

    def pairs(counts: Counter) -> float:  # type: ignore[type-arg]
        return sum(math.comb(count, 2) for count in counts.values())

    both = pairs(Counter(zip(one, other, strict=True)))
    ones, others, every = pairs(Counter(one)), pairs(Counter(other)), math.comb(len(one), 2)
    chance = ones * others / every
    return (both - chance) / ((ones + others) / 2 - chance)


@pytest.mark.parametrize(
    ("learns", "least"),
    [
        ("[orders, amount]]\n  scale: log_zscore", 0.95),
        ("[orders, amount]]\n  scale: log_zscore\n  method: hdbscan\n  least: 10", 0.95),
        ("[taste]]", 0.99),
        ("[both]]\n  k: [3, 5]", 0.99),
        ("[orders, amount, taste]]\n  k: [2, 6]\n  scale: log_zscore", 0.99),
    ],
)  # fmt: skip
def test_hidden_groups_are_found(tmp_path: Path, learns: str, least: float) -> None:
    """By numbers, by a vector of texts, by a vector of both; as many as there are."""
    write(tmp_path, bought())
    found = _specs(tmp_path, f"  features: [habits: {learns}\n")
    made = fitted(tmp_path, found, CUT, "groups", run=context())
    content = read_segmentation(tmp_path / "data", "groups", made.version.id)
    (tmp_path / "stage").mkdir()
    model = found.models["groups"]
    _, drawn = examples(found, model, CUT, tmp_path, tmp_path / "data", context(), tmp_path / "stage")
    table = pa.concat_tables([pq.read_table(each.file) for each in drawn])
    said = content.says("id", {name: table[name] for name in content.inputs}).to_pylist()
    inside = [(group, kind_of(user)) for user, group in zip(table["user_id"].to_pylist(), said, strict=True) if group]
    assert len(content.groups) == len(KINDS)
    assert len(inside) >= 0.9 * len(table)
    assert _rand([group for group, _ in inside], [kind for _, kind in inside]) >= least
    assert [each.size for each in content.groups] == [said.count(each.id) for each in content.groups]
    assert sum(each.size for each in content.groups) == len(inside)
    assert made.version.metrics["silhouette"] > 0.3
    assert len({each.name for each in content.groups}) == len(KINDS)


def test_names_say_what_sets_a_segment_apart(tmp_path: Path) -> None:
    write(tmp_path, bought())
    _, content = _fit(tmp_path)
    said = _said(content, "name", _values(bought(), CUT))
    names = {KINDS[kind_of(user)][0]: name for user, name in said.items()}
    assert {name: set(each.split(", ")) for name, each in names.items()} == {
        "often": {"high orders", "low amount"}, "dear": {"low orders", "high amount"},
        "seldom": {"low orders", "low amount"}, "best": {"high orders", "high amount"},
    }  # fmt: skip
    _, texts = _fit(tmp_path, learns="  features: [habits: [taste]]\n  k: 4\n")
    assert {frozenset(each.name.split(", ")) for each in texts.groups} == {
        frozenset(note.split()) for _, _, _, note in KINDS
    }


@pytest.mark.parametrize("learns", [FOUR, MODEL + "  method: hdbscan\n  least: 10\n"])
def test_what_is_known_after_the_cut_off_changes_no_byte(tmp_path: Path, learns: str) -> None:
    """Neither what happened later, nor what happened before and was written later; nor the order of rows, or shards."""
    rows = bought()
    known = [row for row in rows if row.at < CUT and row.written <= CUT]
    later = [replace(row, user=row.user % 7, amount=1e6) for row in rows if row.at >= CUT or row.written > CUT]
    late = Bought(3, CUT - DAY, CUT + 1, 5.0, 1.0, "late")
    versions = []
    for name, some, shards in (("a", rows, 2), ("b", [*reversed(known), *later, late], 3), ("c", known, 1)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, some)
        for cut_off in (CUT - 30 * DAY, CUT):  # the second is told by the first
            _fit(tmp_path / name, cut_off, learns, shards)
        versions.append(_files(tmp_path / name))
    assert len(versions[0]) == 4
    assert versions[1] == versions[0]
    assert versions[2] == versions[0]


@pytest.mark.parametrize("learns", [FOUR, MODEL + "  method: hdbscan\n  least: 10\n"])
def test_an_entity_is_in_the_segment_of_the_nearest_point_within_reach(tmp_path: Path, learns: str) -> None:
    """What a version says is what plain Python finds in its file, to the last bit."""
    write(tmp_path, bought())
    version, content = _fit(tmp_path, learns=learns)
    said = json.loads((folder_of(tmp_path / "data", "groups") / version / "model.json").read_text())
    random = np.random.default_rng(0)
    numbers = [None, 0.0, -3.0, *np.exp(random.normal(2, 2, 60)).tolist()]
    values = {place: (random.choice(numbers), random.choice(numbers)) for place in range(400)}
    values[400] = (None, None)
    wanted = {place: _nearest(said, (amount, orders)) for place, (orders, amount) in values.items()}
    for place, what in enumerate(("id", "name", "distance")):
        assert _said(content, what, values) == {key: each[place] for key, each in wanted.items()}
    assert (None, None, None) in wanted.values()
    assert ((0, "none") in {each[:2] for each in wanted.values()}) == (learns != FOUR)


@pytest.mark.parametrize("learns", [FOUR, MODEL + "  method: hdbscan\n  least: 10\n"])
def test_the_parts_of_an_explanation_tell_the_nearest_from_the_next(tmp_path: Path, learns: str) -> None:
    """They add up to the difference of squared distances, found here point by point."""
    write(tmp_path, bought())
    version, content = _fit(tmp_path, learns=learns)
    plan = plan_view(_specs(tmp_path, learns), "told", tmp_path, tmp_path / "data")
    for orders, amount in [(30.0, 10.0), (8.0, None), (8.0, 100.0), (3.0, 1e4), (0.0, -3.0)]:
        values = {"habits.amount": amount, "habits.orders": orders}
        asked = Asked(plan, "group", "groups", version, CUT, CUT, values)
        said = segment_why(asked, content, tmp_path, tmp_path / "data")
        (number,), (distance,) = (_said(content, what, {0: (orders, amount)}).values() for what in ("id", "distance"))
        row = content.scaling.scaled(np.array([[np.nan if amount is None else amount, orders]]))[0]
        far = {
            group.id: min(math.dist(row, point) for place, point in zip(content.of, content.points, strict=True)
                          if content.groups[place] == group)
            for group in content.groups
        }  # fmt: skip
        assert (said.id, said.nearest.distance) == (number, pytest.approx(distance))
        assert far[said.nearest.id] == pytest.approx(min(far.values()))
        wanted = far[said.nearest.id] ** 2
        if said.other is not None:
            assert far[said.other.id] == pytest.approx(sorted(far.values())[1])
            wanted = far[said.other.id] ** 2 - wanted
        assert (said.other is None) == (number == 0)
        assert sum(part.adds for part in said.parts) == pytest.approx(wanted)
        assert {part.feature: part.missing for part in said.parts} == {name: values[name] is None for name in values}
    with pytest.raises(LimnerError, match="nothing is known that model groups reads"):
        segment_why(replace(asked, values=dict.fromkeys(values)), content, tmp_path, tmp_path / "data")


def _nearest(said: dict, row: tuple[float | None, ...]) -> tuple[int | None, str | None, float | None]:  # type: ignore[type-arg]
    if all(each is None for each in row):
        return None, None, None
    scaling = said["scaling"]
    scaled = []
    for place, x in enumerate(row):
        # ln(1 + x) as everywhere in the language: W. Kahan's formula
        y = scaling["fill"][place] if x is None else math.copysign(_log1p(abs(x)), x) if x else 0.0
        scaled.append((y - scaling["center"][place]) / scaling["width"][place])
    squares = []
    for point in said["points"]:
        total = 0.0
        for x, y in zip(scaled, point, strict=True):
            total += (x - y) * (x - y)
        squares.append(total)
    best = squares.index(min(squares))
    group, distance = said["groups"][said["of"][best]], math.sqrt(squares[best])
    inside = group["reach"] is None or distance <= group["reach"]
    return (group["id"], group["name"], distance) if inside else (0, "none", distance)


def _log1p(x: float) -> float:
    whole = 1.0 + x
    return x if whole == 1.0 else math.log(whole) * (x / (whole - 1.0))


def test_segments_stay_what_they_are_and_movers_are_told(tmp_path: Path) -> None:
    """A group that changes its ways moves; one that appears gets a new number, and one that goes leaves its own."""
    later = CUT + 30 * DAY
    stay = [row for row in bought(days=(0, 160)) if kind_of(row.user) != 3]
    gone = [row for row in bought(days=(0, 85)) if kind_of(row.user) == 3 and row.user > 8]
    moved = [replace(row, user=row.user) for row in bought(days=(0, 85)) if row.user in (4 + 3, 3)]
    moved += [replace(row, user=row.user + 3) for row in bought(1, users=[4, 8], days=(121, 160))]  # are often now
    write(tmp_path, [*stay, *gone, *moved])
    learns = FOUR.replace("[orders, amount]", "[orders, amount]").replace("k: 4", "k: [3, 5]")
    learns += '  population: {count: "*", from: orders, over: 30d, is: "> 0"}\n'
    first_id, first = _fit(tmp_path, FIRST + 84 * DAY, learns)
    assert [each.id for each in first.groups] == [1, 2, 3, 4]
    assert first.changes is None
    second_id, second = _fit(tmp_path, later, learns)
    assert second.changes is not None
    rows = [*stay, *gone, *moved]
    values = {user: each for user, each in _values(rows, later).items() if each[0] > 0}
    before, after = _said(first, "id", values), _said(second, "id", values)
    moves = Counter((before[user], after[user]) for user in values if before[user] != after[user])
    assert {(old, new): count for old, new, count in second.changes.moved} == moves
    assert second.changes.movers == sum(moves.values())
    assert second.changes.entities == len(values)
    assert {key: (old, new) for (key,), old, new in second.changes.sample}.items() <= {
        user: (before[user], after[user]) for user in values
    }.items()
    best = _said(first, "id", _values(rows, FIRST + 84 * DAY))[11]
    assert second.changes.version == first_id
    assert second.changes.gone == (best,)
    names = {each.id: each.name for each in first.groups}
    assert {each.id: each.name for each in second.groups}.items() <= names.items()

    dear = [replace(row, amount=600.0) for row in bought(2, users=range(203, 303, 4), days=(130, 200))]
    on = [row for row in bought(days=(0, 200)) if kind_of(row.user) != 3 and row.at >= FIRST + 160 * DAY]
    write(tmp_path, [*rows, *dear, *on])
    _, third = _fit(tmp_path, FIRST + 190 * DAY, learns)
    assert third.changes is not None
    assert third.changes.version == second_id
    assert third.changes.new == (5,)
    assert best not in {each.id for each in third.groups}


def test_versions_are_made_in_turn(tmp_path: Path) -> None:
    """An earlier one could not be told which segment is which without looking ahead."""
    write(tmp_path, bought())
    version, _ = _fit(tmp_path)
    assert fitted(tmp_path, _specs(tmp_path, FOUR), CUT, "groups", run=context()).there
    with pytest.raises(LimnerError, match="versions are made in turn, and there is one with cut-off 2026-05-01"):
        _fit(tmp_path, CUT - DAY)
    assert list(registered(tmp_path / "data", "groups")) == [version]
    assert fitted(tmp_path, _specs(tmp_path), CUT - DAY, "groups", run=context()).registered  # another definition


@pytest.mark.parametrize(
    ("learns", "cut_off", "said"),
    [
        (FOUR, "2025-12-01", "nobody of the population is known by 2025-12-01T00:00:00Z: choose a later cut-off"),
        (MODEL + "  k: 50\n", "2026-01-02", "37 entities differ in what segments are drawn by, and 50 segments"),
        (MODEL + "  method: hdbscan\n  least: 60\n", "2026-05-01", "100 entities make no two segments of 60 at least"),
        (MODEL + "  method: hdbscan\n  least: 45\n", "2026-05-01", "no 45 entities or more lie close together"),
    ],
)  # fmt: skip
def test_what_cannot_be_grouped_is_said(tmp_path: Path, learns: str, cut_off: str, said: str) -> None:
    write(tmp_path, bought())
    with pytest.raises(LimnerError) as caught:
        _fit(tmp_path, parse_instant(cut_off), learns)
    assert said in str(caught.value)
    assert registered(tmp_path / "data", "groups") == {}


def test_missing_values_are_told(tmp_path: Path) -> None:
    rows = [row for row in bought() if row.user > 10 or row.at < FIRST + 80 * DAY]
    write(tmp_path, rows)
    made = fitted(tmp_path, _specs(tmp_path), CUT, "groups", run=context())
    assert made.version.notes == ("the median, of vectors the mean, stands for null in habits.amount (10%)",)

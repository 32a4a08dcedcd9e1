"""Features that ask models of sequences: their values are those of plain code, whichever way a history is made."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.language.errors import LimnerError
from limner.language.repo import Specs
from limner.workers.history.manifest import History
from limner.workers.history.served import switch
from limner.workers.ledger import Ledger
from limner.workers.models.fitting import fit
from limner.workers.models.pins import definition_of, with_pins
from limner.workers.models.sequences.why import names as sequence_names
from limner.workers.models.sequences.why import rows_behind
from limner.workers.models.versions import folder_of
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.run import materialize
from tests.workers.models.sequences.chains import CUT, DAY, SPECS, Visit, fitted, specs, visits, write
from tests.workers.models.sequences.plain import Plain, same
from tests.workers.models.world import context

CUTS = (CUT - 60 * DAY, CUT - 30 * DAY - DAY // 2)
BEGIN, END = CUTS[0] - 10 * DAY, CUTS[1] + 20 * DAY
TEXT = SPECS.replace("epochs: 6", "epochs: 1").replace("cut_off: 2026-05-01", "cut_off: 2026-03-01")

GROUPS = """
---
model: groups
entity: user
segments: {features: [behaviour: [state]], k: 2}
cut_off: 2026-03-01
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Specs, list[Visit], list[tuple[int, str]]]:
    """Few shoppers with ties, unknown items and rows without any; two versions."""
    root = tmp_path_factory.mktemp("world")
    rows = visits(users=12)
    random = np.random.default_rng(1)
    for place in random.choice(len(rows), 80, replace=False):
        rows[place] = replace(
            rows[place], category=random.choice([None, "new", "c1"]), channel=random.choice([None, "phone"])
        )
    for place in range(1, len(rows), 9):
        before = next((each for each in reversed(rows[:place]) if each.user == rows[place].user), None)
        if before is not None:
            rows[place] = replace(rows[place], at=before.at, written=max(before.at + place, rows[place].written))
    write(root, rows)
    found = specs(root, TEXT)
    return root, found, rows, [(cut, fitted(root, found, cut).version.id) for cut in CUTS]


def _plan(found: Specs, root: Path) -> ViewPlan:
    return plan_view(with_pins(found, root, root / "data"), "behaviour", root, root / "data")


def _run(plan: ViewPlan, times: Sequence[int], shards: int = 2) -> list[dict[str, Any]]:
    ledger = Ledger(f"sqlite:///{plan.data / 'ledger.db'}")
    try:
        run_id = ledger.start_run("test", ["behaviour"])
        for begin, end in pairwise(times):
            materialize(plan, begin, end, replace(context(), ledger=ledger, run_id=run_id, shards=shards))
    finally:
        ledger.close()
    table = pa.concat_tables([pq.read_table(part.path) for part in History(plan.folder / plan.fingerprint).parts()])
    found = table.sort_by([("user_id", "ascending"), ("event_timestamp", "ascending")])
    return [row | {"at": int(row["event_timestamp"].timestamp()) * 1_000_000} for row in found.to_pylist()]


def _as_of(rows: Sequence[dict[str, Any]], user: int, at: int) -> dict[str, Any] | None:
    return max(
        (row for row in rows if row["user_id"] == user and row["at"] <= at), key=lambda row: row["at"], default=None
    )


def test_values_are_what_plain_code_finds(world: tuple[Path, Specs, list[Visit], list[tuple[int, str]]]) -> None:
    """At every instant of the grid, of every shopper; before the first cut-off there is nothing."""
    root, found, rows, versions = world
    history = _run(_plan(found, root), [BEGIN, END])
    plain = {cut: Plain(root, version) for cut, version in versions}
    checked = 0
    for user in range(1, 13):
        for at in range(BEGIN, END + 1, DAY):
            row = _as_of(history, user, at)
            if row is None:
                continue
            speaks = [cut for cut in plain if cut <= at]
            if not speaks:
                assert (row["state"], row["likely"]) == (None, [])
                continue
            checked += same(row, plain[speaks[-1]], rows, at)
    assert checked > 300
    for before, after in pairwise(history):
        if before["user_id"] == after["user_id"]:
            assert any(before[name] != after[name] for name in ("state", "likely", "visits"))


def test_a_history_has_the_same_bytes_however_it_is_made(
    world: tuple[Path, Specs, list[Visit], list[tuple[int, str]]],
) -> None:
    """In one run or many, in two shards or five: which rows are read together decides no bit."""
    root, found, _, _ = world
    whole = _run(_plan(found, root), [BEGIN, END])
    for place, (times, shards) in enumerate(
        [([BEGIN, END], 5), ([BEGIN, BEGIN + 7 * DAY, CUTS[0] + DAY // 3, CUTS[1], END], 3)]
    ):
        plan = replace(_plan(found, root), data=root / f"other{place}")
        (root / f"other{place}").mkdir()
        (root / f"other{place}" / "models").symlink_to(root / "data" / "models")
        assert _run(plan, times, shards) == whole


def test_a_view_without_versions_is_empty_and_a_lost_one_is_missed(tmp_path: Path) -> None:
    write(tmp_path, visits(users=4))
    found = specs(tmp_path, TEXT)
    rows = _run(plan_view(found, "behaviour", tmp_path, tmp_path / "data"), [BEGIN, BEGIN + 3 * DAY])
    assert rows
    assert all((row["state"], row["likely"]) == (None, []) for row in rows)
    version = fitted(tmp_path, found, CUTS[0]).version.id
    plan = _plan(found, tmp_path)
    arrays = folder_of(tmp_path / "data", "habits") / version / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    with pytest.raises(LimnerError, match=r"arrays\.safetensors are not those that were registered"):
        _run(plan, [BEGIN, END])


def test_a_row_is_worth_what_is_gone_without_it(
    world: tuple[Path, Specs, list[Visit], list[tuple[int, str]]],
) -> None:
    """The rows are those that are read; what is explained is what is served."""
    root, found, visits_, versions = world
    plan = _plan(found, root)
    history = _run(plan, [BEGIN, END])
    switch(root / "data" / "history", {"behaviour": plan.fingerprint})
    plain = Plain(root, versions[-1][1])
    assert sequence_names(root, root / "data") == ["behaviour.likely", "behaviour.state"]
    asked = 0
    for user in range(1, 13):
        row = _as_of(history, user, END)
        if row is None or row["state"] is None:
            continue
        mine = plain.rows([each for each in visits_ if each.user == user], END, 30)
        likely = rows_behind(root, root / "data", str(user), "likely")
        state = rows_behind(root, root / "data", str(user), "behaviour.state")
        assert likely is not None
        assert state is not None
        assert (state.value, likely.value) == (row["state"], dict(row["likely"]))
        assert sorted(each.time for each in likely.rows) == [each.at for each in mine]
        for each in likely.rows:
            left = [one for one in mine if (one.at, one.category) != (each.time, each.words["category"])]
            if len(left) != len(mine) - 1:
                continue  # its like is there, too
            without = plain.state(left) or [0.0] * len(row["state"])
            now = plain.next(without, 99)[likely.about]
            assert each.moves == pytest.approx(likely.value[likely.about] - now, abs=1e-9)
            (same_row,) = (one for one in state.rows if (one.time, one.words) == (each.time, each.words))
            assert same_row.moves == pytest.approx(float(np.linalg.norm(np.array(without) - row["state"])), abs=1e-9)
            asked += 1
    assert asked > 20
    assert rows_behind(root, root / "data", "1", "visits") is None
    with pytest.raises(LimnerError, match="is made of no row"):
        rows_behind(root, root / "data", "999", "state")


def test_segments_are_found_among_what_networks_have_read(
    world: tuple[Path, Specs, list[Visit], list[tuple[int, str]]],
) -> None:
    """Another version of the network is another view, and so another definition of the segments."""
    root, _, _, versions = world
    found = specs(root, TEXT + GROUPS)
    pinned = with_pins(found, root, root / "data")
    made = fit(pinned, "groups", CUTS[1], root, root / "data", context(), allow_suspicious=False).version
    assert made.metrics["segments"] == 2
    pins = with_pins(found, root, root / "data").models
    assert ([pin.version for pin in pins["groups"].versions], len(pins["habits"].versions)) == (
        [made.id],
        len(versions),
    )
    assert definition_of(found, "groups", root, root / "data") != made.definition  # no version of habits speaks there

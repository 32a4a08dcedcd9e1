"""A run over a stream's time tells what it mends, and nothing where there is nothing."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from limner.workers import report
from limner.workers.history.agreement import compare_rows
from limner.workers.history.manifest import History
from limner.workers.run import materialize
from tests.workers.stream.world import BEGIN, SECOND, World, click, context, raw, visit


def streamed(root: Path) -> World:
    """Some clicks of three users, in the history and written by a worker."""
    world = World(root)
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        for second in range(3):
            world.now += SECOND
            events = [raw("clicks", click(10 * second + n, user=n, at=second + 1, amount=n)) for n in range(1, 4)]
            worker.step([*events, raw("visits", visit(second, user=1, at=second))])
            worker.send()
        assert worker.flush()
    world.now += SECOND
    return world


def run(world: World, view: str) -> tuple[dict[str, Any], list[report.StreamMended]]:
    told: list[Any] = []
    asked = context()
    object.__setattr__(asked, "reporter", told.append)
    result = materialize(world.plan(view), BEGIN, world.now, asked)
    found: Any = result.summary["stream"]
    return found, [each for each in told if isinstance(each, report.StreamMended)]


def test_a_run_is_silent_where_the_worker_wrote_what_it_computes(tmp_path: Path) -> None:
    """Maps, lists and vectors too; and a second run has no stream to look at."""
    world = streamed(tmp_path)
    for view in world.specs.views:
        found, told = run(world, view)
        assert (found["rows"], told) == (0, [])
        assert found["compared"] >= 3
        again = materialize(world.plan(view), BEGIN, world.now, context())
        assert "stream" not in again.summary


def test_what_differs_is_told_by_feature_with_an_example_and_mended(tmp_path: Path) -> None:
    """Another value, a row too few and a row too many."""
    world = streamed(tmp_path)
    plan = world.plan("short")
    history = History(plan.folder / plan.fingerprint)
    (file,) = history.folder.glob("stream-*/*.parquet")
    table = pq.read_table(file)
    rows = sorted(table.to_pylist(), key=lambda row: (row["user_id"], row["event_timestamp"]))
    ones, twos = ([row for row in rows if row["user_id"] == user] for user in (1, 2))
    wrong = [row | {"most": 99.0} for row in ones]
    extra = ones[0] | {"event_timestamp": ones[0]["event_timestamp"] + timedelta(microseconds=17)}
    others = [row for row in rows if row["user_id"] > 2]
    pq.write_table(pa.Table.from_pylist([*wrong, extra, *twos[1:], *others], table.schema), file)
    found, (told,) = run(world, "short")
    assert told.view == "short"
    assert (found["features"], found["missing"], found["strange"]) == ({"most": len(ones)}, 1, 1)
    assert (found["rows"], found["entities"], found["compared"]) == (len(ones) + 2, 2, len(rows))
    example = found["examples"]["most"]
    assert (example["entity"], example["found"], example["right"]) == ({"user_id": 1}, 99.0, 1.0)
    assert found["examples"]["missing"]["found"] is None
    assert found["examples"]["strange"]["right"] is None
    assert f"most {len(ones)}, missing 1, strange 1; user_id 1 at " in told.differences.told()
    assert told.differences.told().endswith(": most was 99.0, is 1.0")
    assert world.histories()["short"] == _anew(world)["short"]


def test_rows_without_features_and_rows_of_nobody(tmp_path: Path) -> None:
    assert compare_rows([], [], ["user_id"], [], tmp_path, "1GB").none


def _anew(world: World) -> dict[str, list[bytes]]:
    world.materialize(data="again")
    return world.histories("again")

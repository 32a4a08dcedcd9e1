"""What is online is compared with what the files say, value by value."""

from pathlib import Path

from limner.workers.online.opening import open_writer
from limner.workers.stream.skew import _chosen, skew
from tests.workers.stream.world import BEGIN, SECOND, World, click, context, raw


def test_a_stream_agrees_with_its_files_and_a_wrong_value_is_told(tmp_path: Path) -> None:
    """While the worker is at work, and after somebody put a value there."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("clicks", click(n, user=n, at=1.5)) for n in range(1, 4)])
        worker.send()
        for view in world.specs.views:
            found = skew(world.plan(view), world.place, context(), 100, 0)
            assert found.agrees
            assert found.differences.compared == 4
        plan = world.plan("short")
        with open_writer(world.place) as writer:
            generation = writer.served("short")
            assert generation is not None
            execute = writer.database.connection().execute  # type: ignore[attr-defined]
            name, key = generation.table, generation.schema.encode
            other = f"SELECT value FROM {name} WHERE key = ?"
            execute(f"UPDATE {name} SET value = ({other}) WHERE key = ?", (key([99]), key([1])))
            execute(f"DELETE FROM {name} WHERE key = ?", (key([2]),))
        found = skew(plan, world.place, context(), 100, 0)
        told = found.differences
        assert (dict(told.features), told.missing, told.strange, told.entities) == ({"most": 1}, 1, 0, 2)
        example = told.examples["most"]
        assert (example.entity, example.found, example.right) == ({"user_id": 1}, None, 5.0)


def test_a_seed_chooses_the_same_entities_however_many_others_there_are() -> None:
    """What one sample finds, the next one of the same seed finds, too."""
    keys = [number.to_bytes(8, "big") for number in range(1000)]
    some = _chosen(keys, 50, 7)
    assert some == _chosen(reversed(keys), 50, 7)
    assert set(some) != set(_chosen(keys, 50, 8))
    assert set(_chosen(keys[:500], 50, 7)) >= {key for key in some if key in keys[:500]}

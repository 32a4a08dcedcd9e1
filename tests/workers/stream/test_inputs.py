"""A folder of JSON Lines as events: each line once, in order, and whatever is appended."""

import json
from pathlib import Path

import pytest

from limner.language.errors import LimnerError
from limner.workers.stream.inputs import Folder, Member
from limner.workers.stream.loop import Pace, follow
from tests.workers.stream.world import BEGIN, SECOND, World, click, visit


def test_lines_come_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    """A line that is not ended waits; a position is where another reader goes on."""
    (tmp_path / "b.jsonl").write_bytes(b"3\n")
    (tmp_path / "a.jsonl").write_bytes(b"1\n\n2")
    folder = Folder(tmp_path, ["clicks"])
    first = folder.take(10, 0)
    assert [each.body for each in first.events] == [b"1", b"3"]
    assert not folder.take(10, 0).events
    assert folder.exhausted
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b"2\n4\n")
    second = folder.take(1, 0)
    assert [each.body for each in second.events] == [b"22"]
    again = Folder(tmp_path, ["clicks"])
    again.go_on(second.position, Member("group", 1, lambda _: True))
    assert [each.body for each in again.take(10, 0).events] == [b"4"]


def test_events_of_several_sources_are_told_apart_by_folders(tmp_path: Path) -> None:
    """A file beside the folders is of nobody in particular."""
    (tmp_path / "visits").mkdir()
    (tmp_path / "visits" / "x.jsonl").write_bytes(b"1\n")
    assert [each.source for each in Folder(tmp_path, ["clicks", "visits"]).take(9, 0).events] == ["visits"]
    (tmp_path / "y.jsonl").write_bytes(b"2\n")
    with pytest.raises(LimnerError, match="of which source are its events"):
        Folder(tmp_path, ["clicks", "visits"]).take(9, 0)
    with pytest.raises(LimnerError, match="there is no folder"):
        Folder(tmp_path / "z", ["clicks"])


def test_a_folder_is_followed_to_its_end(tmp_path: Path) -> None:
    """And a worker that comes later finds nothing new in it."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    for source, rows in {"clicks": [click(n, at=1) for n in range(1, 8)], "visits": [visit(1, at=0.5)]}.items():
        folder = tmp_path / "incoming" / source
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    world.now += 2 * SECOND
    for taken in (8, 0):
        with world.worker() as worker:
            incoming = Folder(tmp_path / "incoming", ["clicks", "visits"])
            told = follow(worker, incoming, lambda: False, print, Pace(most=3), once=True)
        assert (told.taken, told.repeated) == (taken, 0)
    world.check(world.now + 20)
    assert {row["event_id"] for row in world.log()["clicks"]} == {f"c{n}" for n in range(8)}
    assert not (world.data / "dead_letters").exists()

"""Workers of one project: who is there, whose turn it is, and who has died."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from limner.language.errors import LimnerError
from limner.workers.stream import turns as module
from limner.workers.stream.turns import Turns

HOLD = """
import sys, time
from pathlib import Path
from limner.workers.stream.turns import Turns
turns = Turns(Path(sys.argv[1]), "same")
print(turns.id, turns.draw(7), flush=True)
time.sleep(60)
"""


def test_instants_are_drawn_once_and_have_their_turn_in_order(tmp_path: Path) -> None:
    """Whoever drew first is first, however late he comes."""
    one, two = Turns(tmp_path, "same"), Turns(tmp_path, "same")
    one.later_than(40)
    first, second, third = one.draw(5), two.draw(50), two.draw(50)
    assert (first, second, third) == (41, 50, 51)
    done: list[int] = []

    def wait() -> None:
        with two.turn(second):
            done.append(second)

    waits = threading.Thread(target=wait)
    waits.start()
    two.give_back(third)
    waits.join(0.1)
    with one.turn(first):
        assert done == []
        done.append(first)
    waits.join()
    assert done == [first, second]
    assert one.others() == {two.id: -(2**62)}
    two.has_all(9)
    assert one.others() == {two.id: 9}
    two.close()
    assert one.others() == {}
    one.close()


def test_nobody_waits_for_the_dead(tmp_path: Path) -> None:
    """A process that is killed is no member, and its instants are nobody's."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        number, drawn = map(int, process.stdout.readline().split())
        here = Turns(tmp_path, "same")
        assert here.alive(number)
        assert drawn == 7
        mine = here.draw(0)
        process.kill()
    with here.turn(mine):
        assert not here.alive(number)
    assert here.others() == {}
    here.close()
    again = Turns(tmp_path, "other")  # nobody is left: all begins anew
    assert again.id not in (number, here.id)
    again.close()


def test_who_follows_something_else_has_to_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while it is waited for: another version of a view is taken up by one worker after the other."""
    old = Turns(tmp_path, "old")
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    with pytest.raises(LimnerError, match="follows other views"):
        Turns(tmp_path, "new")
    monkeypatch.setattr(module, "_PATIENCE", 30.0)
    threading.Timer(0.1, old.close).start()
    Turns(tmp_path, "new").close()


def test_what_only_one_can_have(tmp_path: Path) -> None:
    """As long as it runs; events are taken, and files written out, by one at a time."""
    one, two = Turns(tmp_path, "same"), Turns(tmp_path, "same")
    mine, yours = one.sole("folder"), two.sole("folder")
    assert (mine(), yours(), mine()) == (True, False, True)
    with one.in_order(0) as first, two.in_order(0) as second:
        assert (first, second) == (True, False)
    with two.in_order(0) as second:
        assert second
    assert not one.due_to_flush(0.0)
    assert two.due_to_flush(0.0)
    assert not one.due_to_flush(60.0)
    for each in (one, two):
        each.close()

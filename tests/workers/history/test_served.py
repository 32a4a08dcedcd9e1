"""Which history readers use: switched for any number of views in one step, and remembered."""

import threading
from pathlib import Path

import pytest

from limner.language.errors import LimnerError
from limner.workers.history.served import POINTERS, forget, pointers, serve, served, switch


def test_before_the_first_run_nothing_is_served(tmp_path: Path) -> None:
    """No file, no pointer."""
    assert served(tmp_path / "taste") is None
    assert pointers(tmp_path) == {}


def test_going_back_and_forward_again(tmp_path: Path) -> None:
    """Each switch remembers what it left; back and forth between two leaves what was before them in place."""
    for fingerprint in ("a", "b", "c"):
        serve(tmp_path / "taste", fingerprint)
    assert pointers(tmp_path)["taste"].earlier == ("b", "a")
    serve(tmp_path / "taste", "b")
    assert (served(tmp_path / "taste"), pointers(tmp_path)["taste"].earlier) == ("b", ("c", "a"))
    serve(tmp_path / "taste", "c")
    assert (served(tmp_path / "taste"), pointers(tmp_path)["taste"].earlier) == ("c", ("b", "a"))
    serve(tmp_path / "taste", "c")
    assert pointers(tmp_path)["taste"].earlier == ("b", "a")


def test_views_switch_together(tmp_path: Path) -> None:
    """A reader sees all of a switch or nothing of it, however many switch at once; no writer undoes another's."""
    switch(tmp_path, {"one": "0", "two": "0"})
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            known = pointers(tmp_path)
            seen.add((known["one"].fingerprint, known["two"].fingerprint))

    def other() -> None:
        for number in range(40):
            serve(tmp_path / "three", str(number))

    threads = [threading.Thread(target=read), threading.Thread(target=other)]
    for thread in threads:
        thread.start()
    for number in range(40):
        switch(tmp_path, {"one": str(number), "two": str(number)})
    threads[1].join()
    stop.set()
    threads[0].join()
    assert all(one == two for one, two in seen)
    assert {view: pointer.fingerprint for view, pointer in pointers(tmp_path).items()} == {
        "one": "39",
        "two": "39",
        "three": "39",
    }


def test_a_view_can_be_forgotten(tmp_path: Path) -> None:
    """Others stay."""
    switch(tmp_path, {"one": "a", "two": "b"})
    forget(tmp_path, ["one", "none"])
    assert list(pointers(tmp_path)) == ["two"]


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    """One message."""
    (tmp_path / POINTERS).write_text('{"taste"')
    with pytest.raises(LimnerError, match="delete it and materialize again"):
        served(tmp_path / "taste")

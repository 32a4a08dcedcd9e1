"""Several workers of one project: who is there, and whose turn it is.

Micro-batches have instants, and happen in the order of these. A worker draws an instant before it reads its events
(`draw`), prepares them while others do the same, and waits for its turn (`turn`): until all who drew an earlier one
have had theirs, or have died. Nothing here has to survive the machine: it is about processes that are alive.

A worker is alive while it holds the lock of its own file; the operating system drops it with the process.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from limner.language.errors import LimnerError
from limner.workers.locking import at_once
from limner.workers.sqlite_file import opened, transaction

_POLL = 0.001  # seconds
_PATIENCE = 60.0  # seconds until workers of other definitions have gone
_TABLES = """
CREATE TABLE IF NOT EXISTS member(id INTEGER PRIMARY KEY, follows TEXT, cursor INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ticket(instant INTEGER PRIMARY KEY, member INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clock(one INTEGER PRIMARY KEY CHECK (one = 1), instant INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sent(view TEXT PRIMARY KEY, generation INTEGER NOT NULL, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS flushed(one INTEGER PRIMARY KEY CHECK (one = 1), at REAL NOT NULL)
"""


class Turns:
    """A member of the workers of a project, in its folder `data/stream`; instants in µs."""

    def __init__(self, folder: Path, follows: str) -> None:
        """Become a member. Workers that follow something else must go first: LimnerError if they stay."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._turn, self._order = (folder / ".turn").open("a"), (folder / ".order").open("a")
        try:
            self.id, self._lock = self._join(follows)
        except BaseException:
            self._turn.close()
            self._order.close()
            raise

    def close(self) -> None:
        """Be no member any more: instants that were drawn are given back."""
        with transaction(self._database):
            self._database.execute("DELETE FROM ticket WHERE member = ?", (self.id,))
            self._database.execute("DELETE FROM member WHERE id = ?", (self.id,))
        (self._folder / f"member-{self.id}.lock").unlink(missing_ok=True)
        self._database.close()
        for each in (self._lock, self._turn, self._order):
            each.close()

    def alive(self, member: int) -> bool:
        """Whether a member still runs."""
        return member == self.id or _held(self._folder / f"member-{member}.lock")

    def others(self) -> dict[int, int]:
        """The other members that run, and up to when each has all rows."""
        rows = self._database.execute("SELECT id, cursor FROM member WHERE id <> ?", (self.id,)).fetchall()
        return {member: cursor for member, cursor in rows if self.alive(member)}

    def has_all(self, cursor: int) -> None:
        """This one has all rows up to there."""
        self._database.execute("UPDATE member SET cursor = ? WHERE id = ?", (cursor, self.id))

    def later_than(self, instant: int) -> None:
        """No instant up to this one is drawn any more."""
        sql = "INSERT INTO clock VALUES (1, ?) ON CONFLICT DO UPDATE SET instant = max(instant, excluded.instant)"
        self._database.execute(sql, (instant,))

    def draw(self, now: int) -> int:
        """An instant later than all that were drawn before, and not before `now`."""
        with transaction(self._database):
            row = self._database.execute("SELECT instant FROM clock").fetchone()
            instant = max(now, 0 if row is None else row[0] + 1)
            self.later_than(instant)
            self._database.execute("INSERT INTO ticket VALUES (?, ?)", (instant, self.id))
        return instant

    def give_back(self, instant: int) -> None:
        """Nothing happens at an instant that was drawn."""
        self._database.execute("DELETE FROM ticket WHERE instant = ?", (instant,))

    @contextmanager
    def turn(self, instant: int) -> Iterator[None]:
        """Be the only one at work, after all who drew an earlier instant; it is given back at the end."""
        try:
            while (first := self._database.execute("SELECT min(instant), member FROM ticket").fetchone())[0] != instant:
                if first[0] is None or first[0] > instant:
                    raise LimnerError("this worker was taken for dead: its instant is gone")
                if self.alive(first[1]):
                    time.sleep(_POLL)
                else:
                    self.give_back(first[0])
            with self.alone():
                yield
        finally:
            self.give_back(instant)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one at work: nobody has a turn meanwhile."""
        with _locked(self._turn):
            yield

    @contextmanager
    def in_order(self, seconds: float) -> Iterator[bool]:
        """Be the only one who takes events and draws for them; False where that was not to be had for so long."""
        deadline = time.monotonic() + seconds
        while not at_once(self._order):
            if time.monotonic() >= deadline:
                yield False
                return
            time.sleep(_POLL)
        try:
            yield True
        finally:
            fcntl.flock(self._order, fcntl.LOCK_UN)

    def sole(self, name: str) -> Callable[[], bool]:
        """Whether this one may have what only one can have; once it does, as long as it runs."""
        handle: list[IO[str]] = []
        path = self._folder / f"sole-{name}.lock"

        def mine() -> bool:
            if not handle:
                opened = path.open("a")
                if not at_once(opened):
                    opened.close()
                    return False
                handle.append(opened)
            return True

        return mine

    def sent(self, view: str) -> tuple[int | None, int]:
        """The generation of a view that changes were written into last, and the number of the last one."""
        row = self._database.execute("SELECT generation, number FROM sent WHERE view = ?", (view,)).fetchone()
        return (None, 0) if row is None else (int(row[0]), int(row[1]))

    def set_sent(self, view: str, generation: int, number: int) -> None:
        """As `sent`."""
        self._database.execute("INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", (view, generation, number))

    def due_to_flush(self, seconds: float) -> bool:
        """Whether nobody has begun to write files and histories for so long: who is told so, does."""
        moment = time.monotonic()  # of the machine, not of the process
        with transaction(self._database):
            row = self._database.execute("SELECT at FROM flushed").fetchone()
            if row is not None and 0 <= moment - row[0] < seconds:
                return False
            self._database.execute("INSERT OR REPLACE INTO flushed VALUES (1, ?)", (moment,))
        return row is not None

    def _join(self, follows: str) -> tuple[int, IO[str]]:
        begun = time.monotonic()
        while True:
            with _locked(self._turn):
                if not any(_held(file) for file in self._folder.glob("member-*.lock")):
                    _remove(self._folder)  # a machine that failed may have left it broken
                self._database = opened(self._folder / "turns.db", _TABLES, synchronous="OFF")
                if (joined := self._joined(follows)) is not None:
                    return joined
                self._database.close()
            if time.monotonic() - begun > _PATIENCE:
                raise LimnerError(
                    "another stream worker follows other views of this project, or other versions of them: "
                    "end it, or follow the same"
                )
            time.sleep(50 * _POLL)

    def _joined(self, follows: str) -> tuple[int, IO[str]] | None:
        """Be a member, where all others follow the same; those that died go."""
        with transaction(self._database):
            rows = self._database.execute("SELECT id, follows FROM member").fetchall()
            here = [(id_, what) for id_, what in rows if _held(self._folder / f"member-{id_}.lock")]
            for id_ in {id_ for id_, _ in rows} - {id_ for id_, _ in here}:
                self._database.execute("DELETE FROM ticket WHERE member = ?", (id_,))
                self._database.execute("DELETE FROM member WHERE id = ?", (id_,))
                (self._folder / f"member-{id_}.lock").unlink(missing_ok=True)
            if any(what != follows for _, what in here):
                return None
            id_ = secrets.randbits(48)  # inputs remember it for longer than this folder may
            self._database.execute("INSERT INTO member VALUES (?, ?, ?)", (id_, follows, -(2**62)))
            lock = (self._folder / f"member-{id_}.lock").open("a")
            fcntl.flock(lock, fcntl.LOCK_EX)
        return id_, lock


def _remove(folder: Path) -> None:
    for file in (*folder.glob("turns.db*"), *folder.glob("member-*.lock"), *folder.glob("sole-*.lock")):
        file.unlink(missing_ok=True)


def _held(path: Path) -> bool:
    """Whether a living process holds the lock of a file."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextmanager
def _locked(handle: IO[str]) -> Iterator[None]:
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)

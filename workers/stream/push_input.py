"""Events that were pushed (`inbox.py`), as an input of a worker, alone or beside another one."""

import fcntl
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from limner.language.errors import LimnerError
from limner.workers.locking import at_once
from limner.workers.sqlite_file import transaction
from limner.workers.stream.events import Raw
from limner.workers.stream.inbox import FILE, opened, presence
from limner.workers.stream.inputs import Batch, Input, Member, Sharing, Told

_POLL = 0.005  # seconds between looks at the file
_SLICE = 0.02  # seconds that another input is waited for before pushed events are looked for again
_UNREAD = 3600  # seconds until an answer goes that nobody has read: who pushed was killed
Given = tuple[int, int, int]  # number, push, place


class Pushes:
    """What is pushed to some sources, in the order in which it was put in.

    One worker takes what is pushed to a source; another one, when that is gone. Events go, and who pushed them is
    answered, when the worker asks for more: then they are online, too. Until then they come again.
    """

    sharing = Sharing.OWN

    def __init__(self, data: Path, ids: Mapping[str, str]) -> None:
        """`ids`: the sources, and what the id of an event of theirs is called."""
        self._ids, self._data = ids, data
        self._locks: dict[str, IO[bytes]] = {}
        self._given: dict[str, int] = {}  # the last number given, by source
        self._flying: dict[int, list[Given]] = {}  # by batch, until it is done
        self._done: list[tuple[Given, list[tuple[str, str]]]] = []  # what is to be told of each: kind, reason
        self._opened = ExitStack()
        self.exhausted = False
        with self._explained():
            self._connection = opened(data, durable=False)  # what is forgotten by a power cut comes again: ids
        self._opened.callback(self._connection.close)
        for source in ids:
            file = self._opened.enter_context(presence(data, source).open("wb"))
            fcntl.flock(file, fcntl.LOCK_SH)  # who pushes looks whether anybody is there

    @property
    def name(self) -> str:
        """The file keeps the position."""
        return "push"

    def go_on(self, position: str | None, member: Member) -> None:
        """Nothing: what has happened is gone."""

    def take(self, most: int, seconds: float) -> Batch:
        """At most so many events; waits so long for the first one."""
        deadline = time.monotonic() + seconds
        while True:
            with self._explained():
                self._settle()
                self._lock()
                rows = self._rows(most)
            self.exhausted = not rows
            if rows or time.monotonic() >= deadline:
                break
            time.sleep(min(_POLL, max(0.0, deadline - time.monotonic())))
        batch = Batch([Raw(source, body) for _, source, _, _, body in rows])
        if rows:
            self._flying[id(batch)] = [(number, push, place) for number, _, push, place, _ in rows]
            self._given |= {source: number for number, source, *_ in rows}
        return batch

    def gave(self, batch: Batch) -> bool:
        """Whether a batch is of this input, and not done."""
        return id(batch) in self._flying

    def done(self, batch: Batch, told: Told) -> None:
        """The events have happened; who pushed them hears so when the next ones are taken."""
        for place, (given, raw) in enumerate(zip(self._flying.pop(id(batch), ()), batch.events, strict=False)):
            more = [("refused", told.refused[place])] if place in told.refused else []
            if told.quarantined and not more:
                reasons = told.quarantined.get((raw.source, self._id(raw)), [])
                more = [("quarantined", reason) for reason in reasons]
            self._done.append((given, more))

    def close(self) -> None:
        """Answer what has happened, and let another worker take what has not."""
        try:
            with self._explained():
                self._settle()
        finally:
            self._opened.close()

    def _lock(self) -> None:
        """Be the one who takes what is pushed to a source, where nobody is."""
        for source in self._ids:
            if source in self._locks:
                continue
            file = presence(self._data, source).with_suffix(".taker").open("wb")
            if at_once(file):
                self._locks[source] = self._opened.enter_context(file)
            else:
                file.close()

    def _rows(self, most: int) -> list[tuple[int, str, int, int, bytes]]:
        columns = "number, source, push, place, body"
        sql = f"SELECT {columns} FROM event WHERE source = ? AND number > ? ORDER BY number LIMIT ?"
        found = []
        for source in self._locks:
            found += self._connection.execute(sql, (source, self._given.get(source, 0), most)).fetchall()
        return sorted(found)[:most]

    def _settle(self) -> None:
        """Take what has happened away, and answer pushes of which nothing is left."""
        if not self._done:
            return
        pushes, now = sorted({push for (_, push, _), _ in self._done}), int(time.time())
        with transaction(self._connection):
            execute = self._connection.execute
            self._connection.executemany("DELETE FROM event WHERE number = ?", [(each[0],) for each, _ in self._done])
            told = [(push, place, *each) for (_, push, place), more in self._done for each in more]
            self._connection.executemany("INSERT INTO told VALUES (?, ?, ?, ?)", told)
            for push in pushes:
                if execute("SELECT 1 FROM event WHERE push = ? LIMIT 1", (push,)).fetchone() is None:
                    execute("UPDATE push SET answered = ? WHERE number = ?", (now, push))
            unread = "SELECT number FROM push WHERE answered AND (given_up OR answered < ?)"
            execute(f"DELETE FROM told WHERE push IN ({unread})", (now - _UNREAD,))
            execute(f"DELETE FROM push WHERE number IN ({unread})", (now - _UNREAD,))
        self._done.clear()

    def _id(self, raw: Raw) -> str:
        try:
            return str(json.loads(raw.body).get(self._ids[raw.source]))
        except (ValueError, AttributeError, KeyError, RecursionError):
            return ""

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LimnerError(f"{self._data / FILE}: {error}") from error


class Beside:
    """Another input, and what is pushed: a micro-batch of the one, then of the other, where both have events."""

    def __init__(self, pushes: Pushes, other: Input) -> None:
        self._pushes, self._other = pushes, other
        self._turn = False
        self.sharing: Sharing = other.sharing  # a worker that stands by does not take what is pushed, either

    @property
    def name(self) -> str:
        """What the position of the other input is kept under."""
        return self._other.name

    def go_on(self, position: str | None, member: Member) -> None:
        """Begin behind a position of the other input."""
        self._other.go_on(position, member)

    def take(self, most: int, seconds: float) -> Batch:
        """At most so many events of one of them; waits so long for the first one."""
        deadline = time.monotonic() + seconds
        self._turn = not self._turn
        if self._turn and (batch := self._pushes.take(most, 0)).events:
            return batch
        wait = 0.0
        while True:
            if (batch := self._other.take(most, wait)).events or (pushed := self._pushes.take(most, 0)).events:
                return batch if batch.events else pushed
            wait = min(_SLICE, deadline - time.monotonic())
            if wait <= 0:
                return batch

    def done(self, batch: Batch, told: Told) -> None:
        """The events have happened."""
        (self._pushes if self._pushes.gave(batch) else self._other).done(batch, told)

    @property
    def exhausted(self) -> bool:
        """Whether neither had anything the last time."""
        return self._other.exhausted and self._pushes.exhausted

    def close(self) -> None:
        """Close both."""
        try:
            self._pushes.close()
        finally:
            self._other.close()

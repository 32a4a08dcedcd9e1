"""Events that are pushed, in one SQLite file until a stream worker has taken them.

Who pushes waits for what became of the events. They are durable before that: where no worker is there, they are kept,
and happen when one is.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from limner.language.errors import UnavailableError
from limner.workers import sqlite_file
from limner.workers.locking import at_once
from limner.workers.sqlite_file import transaction

FILE = Path("stream") / "inbox.db"  # below the data folder
MOST_KEPT = 100_000  # events that no worker has taken yet: no more are kept
MOST_AT_ONCE = 10_000  # events that are put in and waited for together
_BUSY_SECONDS = 30
_POLLS = (0.002, 0.005, 0.01)  # seconds between looks for an answer; the last one for ever
_PRESENCE = 0.1  # seconds between looks for a worker
_TABLES = """
CREATE TABLE IF NOT EXISTS push(
    number INTEGER PRIMARY KEY AUTOINCREMENT, answered INTEGER NOT NULL DEFAULT 0, given_up INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS event(
    number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT, push INTEGER, place INTEGER, body BLOB);
CREATE INDEX IF NOT EXISTS event_source ON event(source, number);
CREATE INDEX IF NOT EXISTS event_push ON event(push);
CREATE TABLE IF NOT EXISTS told(push INTEGER, place INTEGER, kind TEXT, reason TEXT);
CREATE INDEX IF NOT EXISTS told_push ON told(push)
"""


@dataclass
class Answer:
    """What became of events that were pushed, by their place: why they were refused; what views put into quarantine."""

    refused: dict[int, str] = field(default_factory=dict)
    quarantined: dict[int, list[str]] = field(default_factory=dict)


def opened(data: Path, *, durable: bool) -> sqlite3.Connection:
    """The file below the data folder; `durable`: what is committed survives a power cut."""
    level: Literal["FULL", "NORMAL"] = "FULL" if durable else "NORMAL"
    return sqlite_file.opened(data / FILE, _TABLES, synchronous=level, busy_seconds=_BUSY_SECONDS)


def presence(data: Path, source: str) -> Path:
    """The file on which each worker has a shared lock that takes, or may take, what is pushed to a source."""
    return data / FILE.parent / f".push-{source}"


def push(data: Path, source: str, bodies: Sequence[bytes], patience: float = 30.0, grace: float = 0.5) -> Answer:
    """Put events in and wait until they have happened: durable, online, and in the files and histories to come.

    `patience`: seconds to wait for a worker that is there; `grace`: for one to come. UnavailableError where it takes
    longer, which says that the events are kept, or that too many are.
    """
    answer = Answer()
    with _explained(data) as connection:
        for start in range(0, len(bodies), MOST_AT_ONCE):
            some = bodies[start : start + MOST_AT_ONCE]
            number = _put(connection, source, start, some)
            try:
                _wait(connection, data, source, number, patience, grace)
            except UnavailableError as error:
                rest = len(bodies) - start - len(some)
                if rest:
                    raise UnavailableError(f"{error}; the last {rest:,} events are not kept: push them again") from None
                raise
            _collect(connection, number, answer)
    return answer


def _put(connection: sqlite3.Connection, source: str, start: int, bodies: Sequence[bytes]) -> int:
    with transaction(connection):
        (kept,) = connection.execute("SELECT count(*) FROM event").fetchone()
        if kept + len(bodies) > MOST_KEPT:
            raise UnavailableError(
                f"{kept:,} events that were pushed wait for a stream worker, and no more are kept: see that "
                f"`limner stream` follows {source!r}; nothing of this push is kept from event {start} on"
            )
        number = connection.execute("INSERT INTO push DEFAULT VALUES").lastrowid
        assert number is not None
        rows = ((source, number, start + place, body) for place, body in enumerate(bodies))
        connection.executemany("INSERT INTO event(source, push, place, body) VALUES (?, ?, ?, ?)", rows)
    return number


def _wait(connection: sqlite3.Connection, data: Path, source: str, number: int, patience: float, grace: float) -> None:
    """Until it is answered. UnavailableError else: then nobody waits for an answer any more."""
    begun = seen = time.monotonic()
    looks, looked = 0, begun - _PRESENCE
    while not _answered(connection, number):
        now = time.monotonic()
        if now - looked >= _PRESENCE:  # two who look at once would each take the other one for a worker
            looked = now
            seen = now if followed(data, source) else seen
        if now - begun > patience or now - seen > grace:
            with transaction(connection):  # a worker may have answered meanwhile
                if _answered(connection, number):
                    return
                connection.execute("UPDATE push SET given_up = 1 WHERE number = ?", (number,))
            raise UnavailableError(
                f"no stream worker follows {source!r}: the events are kept, and happen when `limner stream` runs; "
                "to push them again changes nothing"
                if now - seen > grace
                else f"the stream worker is behind: the events are kept, and happen later than in {patience:g} s; "
                "to push them again changes nothing"
            )
        time.sleep(_POLLS[min(looks // 20, len(_POLLS) - 1)])
        looks += 1


def _answered(connection: sqlite3.Connection, number: int) -> bool:
    row = connection.execute("SELECT answered FROM push WHERE number = ?", (number,)).fetchone()
    return row is None or bool(row[0])


def _collect(connection: sqlite3.Connection, number: int, answer: Answer) -> None:
    """Take an answer away."""
    for place, kind, reason in connection.execute("SELECT place, kind, reason FROM told WHERE push = ?", (number,)):
        if kind == "refused":
            answer.refused[place] = reason
        else:
            answer.quarantined.setdefault(place, []).append(reason)
    with transaction(connection):
        connection.execute("DELETE FROM told WHERE push = ?", (number,))
        connection.execute("DELETE FROM push WHERE number = ?", (number,))


def followed(data: Path, source: str) -> bool:
    """Whether a worker takes what is pushed to a source."""
    try:
        with presence(data, source).open("rb") as file:
            return not at_once(file)
    except FileNotFoundError:
        return False


@contextmanager
def _explained(data: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = opened(data, durable=True)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UnavailableError(f"{data / FILE}: {error}") from error

"""Where events come from, as a protocol, and its plainest form: a folder of JSON Lines."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from limner.language.errors import LimnerError
from limner.workers.stream.events import MOST_BYTES, Raw

_POLL = 0.02  # seconds


@dataclass(frozen=True)
class Batch:
    """Events in the order in which they came; `position` is what the input gives to go on behind them."""

    events: Sequence[Raw] = ()
    position: str | None = None


@dataclass
class Told:
    """What became of a micro-batch: events taken, that came before, set aside; history rows.

    `refused`: why, by the event's place in the batch; `again`: places of those that came before. `quarantined`: by
    source and id, what views say of events that are taken and do not count. `letters`: source and JSON of what was
    set aside.
    """

    taken: int = 0
    repeated: int = 0
    dead: int = 0
    changed: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    quarantined: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    letters: list[tuple[str, str]] = field(default_factory=list)


class Sharing(Enum):
    """What several workers of a project do with one input."""

    SOLE = "one has it, the others stand by"
    ORDER = "one after the other takes from it, in its order"
    OWN = "each has a part of it to itself"


@dataclass(frozen=True)
class Member:
    """A worker, one of `group`: those of a project, as long as its state is not lost. Numbers are not given twice."""

    group: str
    number: int
    alive: Callable[[int], bool]  # whether one of the group still runs

    @property
    def name(self) -> str:
        """Of this one only."""
        return f"{self.group}-{self.number}"

    def gone(self, name: str) -> bool:
        """Whether a name is that of one of the group that does not run any more."""
        group, _, number = name.rpartition("-")
        return group == self.group and number.isdecimal() and not self.alive(int(number))


class Input(Protocol):
    """At-least-once: events that were given and not `done` come again, to this worker or another one."""

    sharing: Sharing

    @property
    def name(self) -> str:
        """What its position is kept under."""

    def go_on(self, position: str | None, member: Member) -> None:
        """Begin behind a position, None: at the beginning; for this worker."""

    def take(self, most: int, seconds: float) -> Batch:
        """At most so many events; waits so long for the first one. LimnerError where it cannot be read."""

    def done(self, batch: Batch, told: Told) -> None:
        """The events have happened."""

    @property
    def exhausted(self) -> bool:
        """Whether there was nothing to take the last time, and nothing is known to come."""

    def close(self) -> None:
        """Give back connections; what is not done comes again."""


@dataclass
class Folder:
    """Lines of the files `*.jsonl` of a folder, by name, each once; lines that are appended and new files are noticed.

    Files in a folder named like a source are events of that source; those beside are of the only source.
    A line counts when it is ended.
    """

    path: Path
    sources: Sequence[str]
    exhausted: bool = False
    sharing: Sharing = Sharing.SOLE
    _read: dict[str, int] = field(default_factory=dict)  # bytes by file

    def __post_init__(self) -> None:
        if not self.path.is_dir():
            raise LimnerError(f"there is no folder {self.path}: events are read from the files *.jsonl in it")

    @property
    def name(self) -> str:
        """What its position is kept under."""
        return f"folder:{self.path.absolute()}"

    def go_on(self, position: str | None, member: Member) -> None:
        """Begin behind a position: the bytes that are read of each file."""
        self._read = {} if position is None else dict(json.loads(position))

    def take(self, most: int, seconds: float) -> Batch:
        """At most so many lines; waits so long for the first one."""
        deadline = time.monotonic() + seconds
        while True:
            events, read = self._lines(most)
            self.exhausted = not events
            if events or time.monotonic() >= deadline:
                self._read = {**self._read, **read}
                return Batch(events, json.dumps(self._read) if events else None)
            time.sleep(min(_POLL, max(0.0, deadline - time.monotonic())))

    def done(self, batch: Batch, told: Told) -> None:
        """The files stay as they are."""

    def close(self) -> None:
        """Nothing is held."""

    def _lines(self, most: int) -> tuple[list[Raw], Mapping[str, int]]:
        events: list[Raw] = []
        read: dict[str, int] = {}
        for source, file in self._files():
            name = str(file.relative_to(self.path))
            begin = self._read.get(name, 0)
            if file.stat().st_size <= begin:
                continue
            with file.open("rb") as stream:
                stream.seek(begin)
                while len(events) < most and (line := stream.readline(2 * MOST_BYTES)).endswith(b"\n"):
                    begin += len(line)
                    if line.strip():
                        events.append(Raw(source, line.strip()))
            read[name] = begin
            if len(events) >= most:
                break
        return events, read

    def _files(self) -> Iterator[tuple[str, Path]]:
        for source in self.sources:
            for file in sorted((self.path / source).glob("*.jsonl")):
                yield source, file
        beside = sorted(self.path.glob("*.jsonl"))
        if beside and len(self.sources) > 1:
            raise LimnerError(
                f"{beside[0]}: of which source are its events? Put it into a folder named like one of "
                f"{', '.join(self.sources)}"
            )
        for file in beside:
            yield self.sources[0], file

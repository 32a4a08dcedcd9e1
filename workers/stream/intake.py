"""Events of one source as they come: which of them are taken, which came before, and why others are not."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from limner.language.errors import LimnerError
from limner.language.models import Source
from limner.workers.sources.duck import connection
from limner.workers.sources.event_path import event_path
from limner.workers.sources.file_scan import FileTable
from limner.workers.sources.files import found
from limner.workers.sources.instants import Instants, datetime_of, everyday_micros
from limner.workers.sources.json_lines import json_objects, reading_lines
from limner.workers.sql import quoted
from limner.workers.stream.events import Event, Reader, RefusedError
from limner.workers.stream.state import State

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

AHEAD = 60_000_000  # µs: how far another clock may be ahead of ours


@dataclass
class Taken:
    """What became of some events. `lines` are those taken, as the source's files have them, by id."""

    lines: dict[str, str] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)  # event timestamps, µs
    bodies: dict[str, bytes] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)  # by place among those that came
    repeated: list[int] = field(default_factory=list)


class Intake:
    """Judges the events of one source; its `folder` is where they are written."""

    def __init__(self, source: Source, root: Path, keys: Sequence[str]) -> None:
        """`keys`: those that the source's files have."""
        assert source.stream is not None
        self.source, self.root = source, root
        self.folder = log_folder(source, root)
        self._reader = Reader(source, {key.lower(): key for key in keys})
        self._opened = connection(None, threads=1)
        self._database = self._opened.__enter__()
        self._instants = Instants(self._database)
        self._lines: DuckDBPyRelation | None = None

    @property
    def spelled(self) -> dict[str, str]:
        """How keys of events are spelled, by their lower case; what is put into it counts from then on."""
        return self._reader.keys

    def close(self) -> None:
        """Close the session."""
        self._opened.__exit__(None, None, None)

    def take(self, bodies: Sequence[bytes], now: int, state: State, file: Path) -> Taken:
        """Judge events that come at `now` (µs); the lines of those taken, if any, are all that is in `file`."""
        taken, events = Taken(), []
        for place, body in enumerate(bodies):
            try:
                event = self._reader.read(body)
            except RefusedError as error:
                taken.refused.append((place, str(error)))
                continue
            events.append((event, body, place))
        seen = state.seen(self.source.source, [event.id for event, _, _ in events])
        received = datetime_of(now).isoformat(timespec="microseconds")
        times = self._times([event for event, _, _ in events])
        places: dict[str, int] = {}
        for (event, body, place), at in zip(events, times, strict=True):
            if event.id in seen:
                taken.repeated.append(place)
            elif (why := self._untimely(event, at, now) or self._misspelled(event)) is not None:
                taken.refused.append((place, why))
            else:
                assert at is not None
                seen.add(event.id)
                places[event.id] = place
                taken.lines[event.id] = self._reader.line(event, received)
                taken.at[event.id], taken.bodies[event.id] = at, body
        unreadable = self._unreadable(list(taken.lines.items()), file)
        for id_ in unreadable:
            del taken.lines[id_], taken.at[id_], taken.bodies[id_]
            taken.refused.append((places[id_], "cannot be read as a line of JSON Lines"))
        if unreadable:
            _write(file, taken.lines.values())
        return taken

    def remember_files(self, state: State, now: int) -> None:
        """Remember the ids of events in the source's files that may come again."""
        assert self.source.stream is not None
        assert self.source.event_timestamp is not None
        written = self._reader.written
        name, at = written(self.source.stream.id), written(self.source.event_timestamp)
        scan = FileTable(self._database, self.source, {name: "VARCHAR", at: "VARCHAR"}).sql(
            found(self.source, self.root)
        )
        micros = self._instants.micros(quoted(at), "VARCHAR", self.source.timezone)
        rows = f"SELECT {quoted(name)} AS id, coalesce({micros}, {now}) AS happened FROM {scan}"
        earliest = now - self.source.stream.lateness.micros
        sql = f"SELECT id, happened FROM ({rows}) WHERE id IS NOT NULL AND happened >= {earliest}"
        state.remember(self.source.source, self._database.execute(sql).fetchall())

    def _times(self, events: Sequence[Event]) -> list[int | None]:
        """Event timestamps in µs UTC, as the source's files are read; None where there is none."""
        assert self.source.event_timestamp is not None
        name = self._reader.written(self.source.event_timestamp)
        texts: list[Any] = [event.row.get(name) for event in events]
        times = {text: everyday_micros(text) for text in texts if isinstance(text, str)}
        others = [text for text, at in times.items() if at is None]
        if others:
            self._database.register("__times", pa.table({"t": pa.array(others, pa.string())}))
            micros = self._instants.micros("t", "VARCHAR", self.source.timezone)
            times |= self._database.execute(f"SELECT t, {micros} FROM __times").fetchall()
            self._database.unregister("__times")
        return [times[text] if isinstance(text, str) else None for text in texts]

    def _untimely(self, event: Event, at: int | None, now: int) -> str | None:
        """Why an event's time is not one to take it at."""
        source = self.source
        assert source.stream is not None
        assert source.event_timestamp is not None
        if at is None:
            there = event.row.get(self._reader.written(source.event_timestamp)) is not None
            name = source.event_timestamp
            return f"cannot read {name} as timestamp" if there else f"no {name}"
        if at < now - source.stream.lateness.micros:
            return f"came more than {source.stream.lateness.text} after it happened"
        if at > now + AHEAD:
            return f"happens more than {AHEAD // 1_000_000}s from now"
        return None

    def _misspelled(self, event: Event) -> str | None:
        try:
            self._reader.learn(event)
        except RefusedError as error:
            return str(error)
        return None

    def _parsed(self, file: Path) -> "DuckDBPyRelation":
        """A query of the one file there is, which looks at each line; it fails where a file of the source would."""
        if self._lines is None:
            self._lines = self._database.sql(f"SELECT count(json_keys(json)) FROM {json_objects([file])}")
        return self._lines

    def _unreadable(self, lines: Sequence[tuple[str, str]], file: Path) -> list[str]:
        """The ids of lines that would make a file unreadable: none, as far as anybody knows."""
        if not lines:
            return []
        _write(file, (line for _, line in lines))
        try:
            with reading_lines(self.source, [file], "looking at its lines"):
                self._parsed(file).fetchall()
        except LimnerError:
            if len(lines) == 1:
                return [lines[0][0]]
            half = len(lines) // 2
            return self._unreadable(lines[:half], file) + self._unreadable(lines[half:], file)
        return []


def _write(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def log_folder(source: Source, root: Path) -> Path:
    """The folder that a source's events are written to: of its path, or that of its glob. LimnerError without one."""
    place = event_path(source, root)
    if place is not None:
        return place[1]
    applied = ", ".join(source.paths)
    raise LimnerError(
        f"source {source.source!r}: events are written to a folder, and its path is {applied} as it was applied: "
        "give a folder, or a glob such as data/x/*.jsonl, then run `limner apply` and materialize"
    )


def dead_letter(body: bytes, reason: str, now: int, **more: str) -> str:
    """A line that says what came, when and why it was set aside."""
    received = datetime_of(now).isoformat(timespec="microseconds")
    event = body[:MOST_KEPT].decode(errors="replace")
    return json.dumps({"received": received, "reason": reason, **more, "event": event})


MOST_KEPT = 100_000  # bytes of an event that is set aside

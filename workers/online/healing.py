"""Online values are what the history says, whoever has changed, deleted or added some; what differed is told.

The history is read once, in the order of its keys, and the online rows of the same keys beside it: memory does not
depend on how many there are, and nothing is written but what differs. Each row is put right only if it is still the
one that was found, so that whoever writes meanwhile is not undone.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.differences import Differences
from limner.workers.history.latest import EVENT_TIMESTAMP, latest_rows
from limner.workers.history.manifest import History
from limner.workers.online.database import Database, Generation, Snapshot, Writer
from limner.workers.online.loading import schema_of
from limner.workers.online.rows import Row, Wrong, count
from limner.workers.online.schema import ViewSchema
from limner.workers.plan import ViewPlan
from limner.workers.stream.serving import newest

AHEAD = 60_000_000  # µs that clocks, and events, may be ahead
_ROWS = 4096
Codes = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass
class _Healing:
    """One view. `trusted` (µs): a row that is online and newer is not judged by the history, up to `now`."""

    writer: Writer
    database: Database
    generation: Generation
    trusted: int
    now: int
    unwritten: Callable[[], Sequence[pa.Table]]
    told: Differences = field(default_factory=Differences)
    waiting: list[Wrong] = field(default_factory=list)

    @property
    def schema(self) -> ViewSchema:
        return self.generation.schema

    def expect(self, expected: Mapping[bytes, Row]) -> None:
        """Compare some entities."""
        found = self.fetch(list(expected))
        self.told.compared += len(expected)
        if found == expected:
            return
        self.waiting += [
            Wrong(key, found.get(key), right)
            for key, right in expected.items()
            if found.get(key) != right and not self._is_newer(found.get(key))
        ]
        if len(self.waiting) >= _ROWS:
            self.mend()

    def strangers(self, known: Codes) -> None:
        """Delete rows of entities that the history does not know."""

        def unknown(snapshot: Snapshot) -> list[bytes]:
            found: list[bytes] = []
            for keys in _chunks(snapshot.keys(self.generation)):
                strange = ~np.isin(codes(self.schema, keys), known)
                found += [keys[place] for place in np.flatnonzero(strange)]
            return found

        for keys in _chunks(self.database.read(unknown)):
            rows = self.fetch(keys)
            self.waiting += [Wrong(key, row, None) for key, row in rows.items() if not self._is_newer(row)]
            self.mend()

    def mend(self) -> None:
        """Put right what waits, but for entities of which a stream worker has rows that the history lacks."""
        wrong, self.waiting = self.waiting, []
        if not wrong:
            return
        live = {key for table in self.unwritten() for key in self.schema.encode_table(table)}
        self._mend([each for each in wrong if each.key not in live])

    def _mend(self, wrong: Sequence[Wrong]) -> None:
        for each, done in zip(wrong, self.writer.mend(self.generation, wrong), strict=True):
            if done:
                count(self.told, self.schema, each)

    def live(self, join_keys: tuple[str, ...]) -> None:
        """What a stream worker has written since, once more: an older row never replaces a newer one."""
        tables = [table for table in self.unwritten() if len(table)]
        if not tables:
            return
        rows = newest(pa.concat_tables(tables), join_keys)
        ahead: dict[bytes, Row] = {}
        for batch in rows.to_batches(max_chunksize=_ROWS):
            right = packed(self.schema, batch)
            found = self.fetch(list(right))
            for key, row in right.items():
                if key in found and found[key][0] == row[0]:
                    count(self.told, self.schema, Wrong(key, found[key], row))
            ahead |= {key: row for key, row in found.items() if row[0] > self.now + AHEAD}
        if ahead:
            self._not_of(ahead, join_keys)
        self.writer.update(self.generation, rows.to_batches())

    def _not_of(self, ahead: Mapping[bytes, Row], join_keys: tuple[str, ...]) -> None:
        """Put right rows of the future that no worker has sent: it has what it sends, so it is asked after the look."""
        rows = newest(pa.concat_tables(self.unwritten()), join_keys)
        for batch in rows.to_batches(max_chunksize=_ROWS):
            right = packed(self.schema, batch)
            wrong = [
                Wrong(key, ahead[key], row) for key, row in right.items() if key in ahead and row[0] < ahead[key][0]
            ]
            self._mend(wrong)

    def fetch(self, keys: Sequence[bytes]) -> Mapping[bytes, Row]:
        """The rows of some entities."""
        return self.database.read(lambda snapshot: snapshot.fetch(self._served(snapshot), keys))

    def _served(self, snapshot: Snapshot) -> Generation:
        found = snapshot.served().get(self.schema.view)
        if found is None or found.id != self.generation.id:
            raise LimnerError(
                f"view {self.schema.view!r}: its online values were replaced while they were checked: run this again"
            )
        return found

    def _is_newer(self, row: Row | None) -> bool:
        """Whether a row may be of somebody who knows more than the history."""
        return row is not None and self.trusted < row[0] <= self.now + AHEAD


def heal(
    writer: Writer,
    database: Database,
    plan: ViewPlan,
    history: History,
    *,
    begun: int,
    now: int,
    unwritten: Callable[[], Sequence[pa.Table]] = lambda: (),
) -> Differences:
    """Bring each online value of a view to what its history says; tell what differed.

    `begun` (µs): when the run began that wrote the history; what is online and newer than that, or than the history, is
    left as it is, unless it is of the future. `unwritten`: history rows that a stream worker has and the history lacks.
    The caller holds the view's lock. LimnerError where another definition is served, or the store fails.
    """
    coverage, generation = history.coverage(), writer.served(plan.name)
    if coverage is None or generation is None or generation.schema != schema_of(plan):
        raise LimnerError(f"view {plan.name!r} is not online as it is declared: run `limner materialize` first")
    healing = _Healing(writer, database, generation, min(begun, coverage[1]), now, unwritten)
    known = [np.empty(0, np.uint64)]
    for batch in latest_rows(history, plan.join_keys, coverage[0], _ROWS):
        expected = packed(generation.schema, batch)
        healing.expect(expected)
        known.append(codes(generation.schema, list(expected)))
    healing.mend()
    healing.live(plan.join_keys)  # before rows are counted: one that lacks would hide one too many
    if database.read(lambda snapshot: snapshot.count(generation)) != sum(map(len, known)):
        healing.strangers(np.concatenate(known))
    return healing.told


def packed(schema: ViewSchema, batch: pa.RecordBatch) -> dict[bytes, Row]:
    """Rows as they are online, by encoded key."""
    stamps = batch.column(EVENT_TIMESTAMP).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
    rows = zip(stamps, schema.layout.pack(batch), strict=True)
    return dict(zip(schema.encode_table(batch), rows, strict=True))


def codes(schema: ViewSchema, keys: Sequence[bytes]) -> Codes:
    """64 bits a key: a stranger is overlooked where they are those of another entity, nothing else comes of it."""
    if schema.simple:
        return np.frombuffer(b"".join(keys), ">u8").astype(np.uint64)
    some = (int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") for key in keys)
    return np.fromiter(some, np.uint64, len(keys))


def _chunks(keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    for key in keys:
        some.append(key)
        if len(some) == _ROWS:
            yield some
            some = []
    if some:
        yield some

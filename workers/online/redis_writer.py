"""Writing online values to Redis or Valkey: rows in bulk over several connections, and one commit that shows them."""

import json
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Self

import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.online.database import Generation, Progress, Waiting
from limner.workers.online.locate import RedisPlace
from limner.workers.online.redis_scripts import MEND, MERGE, PUSH
from limner.workers.online.redis_state import STAMP, Held, Names, State, connect, explained, load
from limner.workers.online.rows import Row, Wrong
from limner.workers.online.schema import ViewSchema
from limner.workers.request.program import Program

CONNECTIONS = 2  # that write at once: while one packs the next rows, the server stores the last
ROWS = 256  # a command
ORPHAN_SECONDS = 86_400  # after which newer rows go that were never committed: their run was killed
Change = Callable[[State], State]


class RedisWriter:
    """The writing side of one place. Each method is all or nothing: after a failure all is as it was."""

    def __init__(self, place: RedisPlace) -> None:
        self.place = place
        self.client = connect(place)
        self.names = Names(place.prefix)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.client.close()

    def served(self, view: str) -> Generation | None:
        """The generation a view serves; `loaded` is None where the server has lost rows of it."""
        with explained(self.place):
            state = load(self.client, self.names)
            id_ = state.served.get(view)
            if id_ is None:
                return None
            found = state.generation(id_)
            whole = self.client.hlen(self.names.values(id_)) >= state.generations[id_].rows
            return found if whole else replace(found, loaded=None)

    def replace(
        self,
        schema: ViewSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        loaded: str,
        as_of: int,
        progress: Progress | None = None,
    ) -> int:
        """Fill a new generation and serve it instead of the old one, which goes. Returns the rows it holds."""
        waiting = self.prepare(schema, batches, loaded=loaded, as_of=as_of, progress=progress)
        self.switch([waiting])
        return waiting.rows

    def prepare(
        self,
        schema: ViewSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        loaded: str,
        as_of: int,
        progress: Progress | None = None,
    ) -> Waiting:
        """Fill a new generation as `replace` does, and leave the old one served: `switch` changes that."""
        with explained(self.place):
            self.drop_unserved(schema.view)
            generation = self._register(schema)
            try:
                name = self.names.values(generation.id)
                offered = self._fill(name, schema, batches, progress)
                held = int(self.client.hlen(name))
                if held != offered:
                    raise LimnerError(
                        f"view {schema.view!r}: {offered} rows were to be served, the online store holds {held}"
                    )
            except BaseException:
                self._commit(lambda state: state.without({generation.id}))
                raise
        return Waiting(generation, loaded, as_of, held)

    def switch(self, waiting: Sequence[Waiting], also: Callable[[], object] = lambda: None) -> None:
        """Serve generations instead of the old ones of their views, which go: all in one step.

        `also` is called just before that becomes visible; if it fails, nothing has changed.
        """

        def serve(state: State) -> State:
            for each in waiting:
                id_, view = each.generation.id, each.generation.schema.view
                state = state.with_held(id_, loaded=each.loaded, as_of=each.as_of, rows=each.rows)
                state = state.without(state.others(view, keep=id_))
                state = state.changed(served=state.served | {view: id_})
            return state

        with explained(self.place):
            self._commit(serve, also)

    def update(
        self,
        generation: Generation,
        batches: Iterable[pa.RecordBatch],
        *,
        loaded: str | None = None,
        as_of: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Write rows into a generation; an older event timestamp never replaces a newer one. Returns rows offered.

        Rows of a run (with `loaded`, at most one a key) become visible together, pushed ones batch by batch.
        """
        with explained(self.place):
            if loaded is None:
                return self._push(generation, batches, progress)
            self._settle(generation.id)  # what a killed run left
            newer = uuid.uuid4().hex
            name = self.names.values(generation.id, newer)
            try:
                offered = self._fill(name, generation.schema, batches, progress, orphan=True)
                if offered != self.client.hlen(name):
                    raise LimnerError(f"view {generation.schema.view!r}: a run has two rows of one entity")
            except BaseException:
                self.client.unlink(name)
                raise
            self._commit(
                lambda state: state.with_held(
                    generation.id, loaded=loaded, as_of=as_of, newer=newer if offered else None
                ),
                keep=name,
            )
            self._settle(generation.id)
        return offered

    def mend(self, generation: Generation, wrong: Sequence[Wrong]) -> list[bool]:
        """Put each row right that is still as it was found; of each, whether it was."""
        with explained(self.place):
            self._settle(generation.id)
            done = [
                each
                for start in range(0, len(wrong), ROWS)
                for each in self._mend(generation, wrong[start : start + ROWS])
            ]
            if any(done):
                rows = int(self.client.hlen(self.names.values(generation.id)))
                self._commit(lambda state: state.with_held(generation.id, rows=rows))
        return done

    def create(self, schema: ViewSchema) -> Generation:
        """An empty generation, served at once: for values that are pushed, not materialized."""
        with explained(self.place):
            generation = self._register(schema)
            self._commit(
                lambda state: state.without(state.others(schema.view, keep=generation.id)).changed(
                    served=state.served | {schema.view: generation.id}
                )
            )
        return generation

    def set_profiles(self, profiles: Mapping[str, Mapping[str, list[str]]], programs: Iterable[Program] = ()) -> None:
        """Make `profiles` (profile -> view -> features) and the request views of `programs` those that are served."""
        members = {name: json.dumps(each) for name, each in profiles.items()}
        texts = {each.name: each.text for each in programs}
        with explained(self.place):
            self._commit(lambda state: state.changed(profiles=members, programs=texts))

    def drop_unserved(self, view: str) -> None:
        """Remove the generations of a view that it does not serve. No run of the view may be on."""
        with explained(self.place):
            self._commit(lambda state: state.without(state.others(view, keep=state.served.get(view))))

    def drop(self, views: Iterable[str]) -> None:
        """Remove all values of some views."""
        names = list(views)
        with explained(self.place):
            self._commit(lambda state: state.without({id_ for v in names for id_ in state.others(v, keep=None)}))

    def _register(self, schema: ViewSchema) -> Generation:
        """Announce a generation before it is filled, so that it is found if the run is killed."""
        held = Held(schema.view, schema.to_json())
        before = self._commit(
            lambda state: state.changed(next=state.next + 1, generations=state.generations | {state.next: held})
        )
        return Generation(before.next, schema, None)

    def _commit(self, change: Change, also: Callable[[], object] = lambda: None, keep: str | None = None) -> State:
        """Make the next state the one that is read, and remove what it no longer names. Returns the state before.

        `keep` is a key that the next state names, and that was to go by itself.
        """
        import redis

        called = False
        with self.client.pipeline() as pipe:
            while True:
                pipe.watch(self.names.state)  # type: ignore[no-untyped-call]
                before = State.parse(pipe.get(self.names.state))
                after = change(before)
                if after is before:
                    return before
                gone = {name for id_ in before.generations for name in self.names.layers(before, id_)}
                gone -= {name for id_ in after.generations for name in self.names.layers(after, id_)}
                pipe.multi()
                pipe.mset({self.names.state: after.to_json(), self.names.version: after.version})
                if gone:
                    pipe.unlink(*gone)
                if keep is not None:
                    pipe.persist(keep)
                if not called:
                    also()
                    called = True
                try:
                    pipe.execute()
                except redis.WatchError:
                    continue
                return before

    def _fill(
        self,
        name: str,
        schema: ViewSchema,
        batches: Iterable[pa.RecordBatch],
        progress: Progress | None,
        *,
        orphan: bool = False,
    ) -> int:
        """Write rows into a hash that nobody reads; returns how many. An `orphan` is one that no state names."""
        offered = 0
        sent: deque[Future[int]] = deque()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for batch in batches:
                sent.append(pool.submit(self._send, name, schema, batch, orphan))
                while len(sent) > CONNECTIONS:
                    offered += _told(sent.popleft(), progress)
            while sent:
                offered += _told(sent.popleft(), progress)
        return offered

    def _send(self, name: str, schema: ViewSchema, batch: pa.RecordBatch, orphan: bool) -> int:
        rows = _rows(schema, batch)
        pipe = self.client.pipeline(transaction=False)
        for start in range(0, len(rows), 2 * ROWS):
            pipe.execute_command("HSET", name, *rows[start : start + 2 * ROWS])  # type: ignore[no-untyped-call]
        if orphan:
            pipe.expire(name, ORPHAN_SECONDS)
        pipe.execute()
        return int(batch.num_rows)

    def _push(self, generation: Generation, batches: Iterable[pa.RecordBatch], progress: Progress | None) -> int:
        push = self.client.register_script(PUSH)
        offered = 0
        for batch in batches:
            rows = _rows(generation.schema, batch)
            pushed = 0
            while not pushed:
                state = load(self.client, self.names)
                if generation.id not in state.generations:
                    raise LimnerError(
                        f"view {generation.schema.view!r}: it was replaced while rows were pushed: try again"
                    )
                layers = self.names.layers(state, generation.id)
                pushed = push(keys=[self.names.version, *layers], args=[state.version, *rows])
            offered += batch.num_rows
            if progress is not None:
                progress(batch.num_rows)
        return offered

    def _mend(self, generation: Generation, wrong: Sequence[Wrong]) -> list[bool]:
        mend = self.client.register_script(MEND)
        rows = [part for each in wrong for part in (each.key, _row(each.found), _row(each.right))]
        done = None
        while done is None:
            state = load(self.client, self.names)
            if generation.id not in state.generations:
                raise LimnerError(f"view {generation.schema.view!r}: it was replaced while it was checked: try again")
            done = mend(keys=[self.names.version, self.names.values(generation.id)], args=[state.version, *rows])
        return [place in set(done) for place in range(len(wrong))]

    def _settle(self, id_: int) -> None:
        """Merge the newer rows of a generation into it: what is read stays the same."""
        held = load(self.client, self.names).generations.get(id_)
        if held is None or held.newer is None:
            return
        merge = self.client.register_script(MERGE)
        base, newer = self.names.values(id_), self.names.values(id_, held.newer)
        keys = self.client.hkeys(newer)
        for start in range(0, len(keys), ROWS):
            merge(keys=[base, newer], args=keys[start : start + ROWS])
        rows = int(self.client.hlen(base))
        self._commit(lambda state: state.with_held(id_, newer=None, rows=rows) if id_ in state.generations else state)


def _rows(schema: ViewSchema, batch: pa.RecordBatch) -> list[bytes]:
    """Key, value, key, value, ... as a hash takes them."""
    stamps = batch.column("event_timestamp").cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
    rows: list[Any] = [None] * (2 * batch.num_rows)
    rows[::2] = schema.encode_table(batch)
    rows[1::2] = [STAMP.pack(at) + value for at, value in zip(stamps, schema.layout.pack(batch), strict=True)]
    return rows


def _row(row: Row | None) -> bytes:
    """As the hash has it; empty for none."""
    return b"" if row is None else STAMP.pack(row[0]) + row[1]


def _told(sent: "Future[int]", progress: Progress | None) -> int:
    rows = sent.result()
    if progress is not None:
        progress(rows)
    return rows

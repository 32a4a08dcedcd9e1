"""Reading online values from Redis or Valkey: one round trip a view, and answers of one state."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from limner.language.errors import UnavailableError
from limner.workers.online.database import Generation, Memo, StateMovedError
from limner.workers.online.locate import RedisPlace
from limner.workers.online.redis_state import STAMP, Names, State, connect, explained, load
from limner.workers.request.program import Program

if TYPE_CHECKING:
    from redis import Redis

ATTEMPTS = 20  # a state lasts as long as nothing is committed: seconds, at the least
SCANNED = 1000  # entities a round trip
T = TypeVar("T")


class RedisDatabase:
    """The reading side of one place. Threads may share it."""

    def __init__(self, place: RedisPlace) -> None:
        self.place = place
        self.client = connect(place)
        self.names = Names(place.prefix)
        self._known: tuple[State, Memo] | None = None

    def exists(self) -> bool:
        """Always: a server where nothing was written answers, too."""
        return True

    def check(self) -> None:
        """UnavailableError where there is nothing to read."""
        with explained(self.place):
            if self._current()[0].version == "":
                raise UnavailableError(
                    f"there are no online values yet in {self.place}: run `limner materialize START END`"
                )

    def close(self) -> None:
        """Close the connections that no thread is using."""
        self.client.connection_pool.disconnect(inuse_connections=False)

    def read(self, answer: Callable[["RedisSnapshot"], T]) -> T:
        """What `answer` makes of one state. It begins with the state that is known, and again if that is past."""
        with explained(self.place):
            for _ in range(ATTEMPTS):
                snapshot = RedisSnapshot(self.client, self.names, *(self._known or self._current()))
                try:
                    found = answer(snapshot)
                except StateMovedError:
                    self._known = None
                    continue
                except Exception:  # perhaps only of the state that was known
                    if snapshot.holds():
                        raise
                    self._known = None
                    continue
                if snapshot.seen or snapshot.holds():
                    return found
                self._known = None
        raise UnavailableError(f"online store {self.place}: it changed each of {ATTEMPTS} times while it was read")

    @contextmanager
    def reading(self) -> Iterator["RedisSnapshot"]:
        """The newest state. LimnerError where values are asked for after it is past."""
        with explained(self.place):
            try:
                yield RedisSnapshot(self.client, self.names, *self._current())
            except StateMovedError:
                raise UnavailableError(f"online store {self.place}: it changed while it was read: try again") from None

    def _current(self) -> tuple[State, Memo]:
        """The newest state."""
        known = self._known = (load(self.client, self.names), {})
        return known


class RedisSnapshot:
    """One state. Values that are of another one raise StateMovedError; `seen` says that some were of this one."""

    def __init__(self, client: "Redis", names: Names, state: State, memo: Memo) -> None:
        self.memo = memo
        self._client = client
        self._names = names
        self._state = state
        self.seen = False

    def served(self) -> dict[str, Generation]:
        """The generation each view serves."""
        found: dict[str, Generation] | None = self.memo.get("served")
        if found is None:
            served = sorted(self._state.served.items())
            found = self.memo["served"] = {view: self._state.generation(id_) for view, id_ in served}
        return found

    def unserved(self) -> list[Generation]:
        """Generations that no view serves: they wait, or a run is filling them, or was killed while it did."""
        served = set(self._state.served.values())
        return [self._state.generation(id_) for id_ in sorted(self._state.generations) if id_ not in served]

    def bytes_of(self, generation: Generation) -> int:
        """The bytes of its keys and values, as the server estimates them."""
        return sum(self._client.memory_usage(name, samples=100) or 0 for name in self._layers(generation))

    def profiles(self) -> dict[str, str]:
        """The members of each profile, as JSON `{view: [features]}`."""
        return dict(sorted(self._state.profiles.items()))

    def programs(self) -> dict[str, Program]:
        """The request views, by name."""
        found: dict[str, Program] | None = self.memo.get("programs")
        if found is None:
            texts = sorted(self._state.programs.items())
            found = self.memo["programs"] = {name: Program.from_json(text) for name, text in texts}
        return found

    def fetch(self, generation: Generation, keys: Sequence[bytes]) -> Mapping[bytes, tuple[int, bytes]]:
        """Event timestamp (µs UTC) and packed value of those of `keys` that have one."""
        if not keys:
            return {}
        pipe = self._client.pipeline(transaction=False)
        for name in self._layers(generation):
            pipe.execute_command("HMGET", name, *keys)  # type: ignore[no-untyped-call]
        pipe.get(self._names.version)
        *layers, version = pipe.execute()
        self._see(version)
        found: dict[bytes, tuple[int, bytes]] = {}
        for layer in layers:
            for key, held in zip(keys, layer, strict=True):
                if held is not None:
                    (stamp,) = STAMP.unpack_from(held)
                    if key not in found or stamp > found[key][0]:
                        found[key] = (stamp, held[8:])
        return found

    def scan(self, generation: Generation) -> Iterator[tuple[bytes, int, bytes]]:
        """Key, event timestamp and packed value of every entity, in no particular order."""
        found: dict[bytes, bytes] = {}
        for name in self._layers(generation):
            for key, held in self._client.hscan_iter(name, count=SCANNED):
                if key not in found or STAMP.unpack_from(held) > STAMP.unpack_from(found[key]):
                    found[key] = held
        self._see(self._client.get(self._names.version))
        for key, held in found.items():
            yield key, STAMP.unpack_from(held)[0], held[8:]

    def keys(self, generation: Generation) -> Iterator[bytes]:
        """The key of every entity, in no particular order; perhaps of no one state, and one twice."""
        for name in self._layers(generation):
            for key, _ in self._client.hscan_iter(name, count=SCANNED):
                yield key

    def count(self, generation: Generation) -> int:
        """How many entities it holds."""
        *newer, name = self._layers(generation)
        rows = int(self._client.hlen(name))
        for each in newer:
            keys = self._client.hkeys(each)
            pipe = self._client.pipeline(transaction=False)
            for key in keys:
                pipe.hexists(name, key)
            rows += sum(not held for held in pipe.execute())
        return rows

    def holds(self) -> bool:
        """Whether the state is still the newest."""
        return self._version(self._client.get(self._names.version)) == self._state.version

    def _layers(self, generation: Generation) -> list[str]:
        return self._names.layers(self._state, generation.id)

    def _see(self, version: bytes | str | None) -> None:
        if self._version(version) != self._state.version:
            raise StateMovedError
        self.seen = True

    @staticmethod
    def _version(found: bytes | str | None) -> str:
        return found.decode() if isinstance(found, bytes) else found or ""

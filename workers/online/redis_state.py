"""What a Redis or Valkey server is told of online values beside the values themselves: one small document.

    PREFIX:state       the document: generations, which one each view serves, profiles, request views
    PREFIX:version     a word that no two states share, written together with the document
    PREFIX:values_N    a generation: a hash from key to instant (µs UTC, 8 bytes) and packed value
    PREFIX:values_N:X  rows of a run that are newer than the hash's; read before it until they are merged into it

A reader asks for values and, after them, for the version: if it is still that of the document it knows, both are of one
state.
"""

import json
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from limner.language.errors import LimnerError, UnavailableError
from limner.workers.online.database import Generation
from limner.workers.online.locate import RedisPlace
from limner.workers.online.schema import ViewSchema

if TYPE_CHECKING:
    from redis import Redis

STAMP = struct.Struct(">q")  # before each packed value
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Held:
    """A generation as the document has it. `newer`: the word of a hash read before it; `rows`: after its last run."""

    view: str
    description: str
    loaded: str | None = None
    as_of: int | None = None
    rows: int = 0
    newer: str | None = None


@dataclass(frozen=True)
class State:
    """The document. Views, profiles and request views by name; generations by number."""

    version: str = ""
    next: int = 1
    generations: dict[int, Held] = field(default_factory=dict)
    served: dict[str, int] = field(default_factory=dict)
    profiles: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: bytes | str | None) -> "State":
        """The state a document describes; of none: nothing."""
        if text is None:
            return cls()
        raw: dict[str, Any] = json.loads(text)
        return cls(**raw | {"generations": {int(id_): Held(**each) for id_, each in raw["generations"].items()}})

    def changed(self, **fields: Any) -> "State":
        """The next state."""
        return replace(self, version=uuid.uuid4().hex, **fields)

    def with_held(self, id_: int, **fields: Any) -> "State":
        """The next state, with a generation changed. LimnerError if it is there no more."""
        if id_ not in self.generations:
            raise LimnerError("a view was dropped or replaced while its rows were written: run the same command again")
        return self.changed(generations=self.generations | {id_: replace(self.generations[id_], **fields)})

    def without(self, ids: set[int]) -> "State":
        """The next state, without some generations; this one, if it has none of them."""
        if not ids & set(self.generations):
            return self
        left = {id_: held for id_, held in self.generations.items() if id_ not in ids}
        return self.changed(generations=left, served={v: id_ for v, id_ in self.served.items() if id_ not in ids})

    def others(self, view: str, keep: int | None) -> set[int]:
        """The generations of a view but one."""
        return {id_ for id_, held in self.generations.items() if held.view == view and id_ != keep}

    def generation(self, id_: int) -> Generation:
        """A generation as readers know it."""
        held = self.generations[id_]
        return Generation(id_, ViewSchema.from_json(held.description), held.loaded, held.as_of)

    def to_json(self) -> str:
        """Text that `parse` reads back."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True)
class Names:
    """The names of a place's keys."""

    prefix: str

    @property
    def state(self) -> str:
        """The document's."""
        return f"{self.prefix}:state"

    @property
    def version(self) -> str:
        """The version's."""
        return f"{self.prefix}:version"

    def values(self, id_: int, newer: str | None = None) -> str:
        """A generation's, or that of its newer rows."""
        return f"{self.prefix}:values_{id_}" + (f":{newer}" if newer else "")

    def layers(self, state: State, id_: int) -> list[str]:
        """The hashes of a generation, the one that is read first at the beginning."""
        newer = state.generations[id_].newer
        return [self.values(id_, newer), self.values(id_)] if newer else [self.values(id_)]


def connect(place: RedisPlace) -> "Redis":
    """A client that connects when it is first used; threads may share it."""
    import redis

    try:
        client: Redis = redis.Redis.from_url(place.url, socket_connect_timeout=CONNECT_SECONDS)
    except ValueError as error:
        raise LimnerError(f"online_store.url {place}: {error}") from None
    return client


def load(client: "Redis", names: Names) -> State:
    """The state there is."""
    (text,) = client.mget([names.state])
    return State.parse(text)


@contextmanager
def explained(place: RedisPlace) -> Iterator[None]:
    """Say what to do about an error of the server, in one message."""
    import redis

    try:
        yield
    except redis.RedisError as error:
        text = str(error)
        if isinstance(error, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
            advice = "see that it runs and can be reached, then run the same command again"
        elif "OOM" in text:
            advice = "raise its maxmemory, then run the same command again"
        else:
            advice = "see the server's log"
        raise UnavailableError(f"online store {place}: {text}; {advice}") from error

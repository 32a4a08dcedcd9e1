"""Events from Redis Streams (Redis or Valkey): a stream a source, read by a consumer group.

An entry is one event: its field `event` is the JSON object; without one, the fields are its columns, as texts. An entry
is acknowledged when it has happened. What a worker that died had not acknowledged is claimed by another one, before
anything new.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from limner.language.errors import LimnerError
from limner.workers.environment import mask
from limner.workers.stream.events import Raw
from limner.workers.stream.inputs import Batch, Member, Sharing, Told

GROUP = "limner"
PREFIX = "events:"
DEAD = ":dead"
FIELD = b"event"
_LOOK = 1.0  # seconds until what workers have left is looked for again
_SILENT = 60_000  # ms without a sign of life, after which a worker of another state counts as gone
Entry = tuple[bytes, bytes]  # stream, id


class RedisStreams:
    """The streams `events:SOURCE`; what cannot be taken goes to `events:SOURCE:dead`, with its reason."""

    sharing = Sharing.ORDER

    def __init__(self, url: str, sources: Sequence[str]) -> None:
        """Connect, and make the group where there is none; it begins with the oldest entry."""
        import redis

        self._shown = mask(url)
        self._streams = {f"{PREFIX}{source}".encode(): source for source in sources}
        self._member: Member | None = None
        self._entries: dict[int, list[Entry]] = {}  # by batch, until it is done
        self._looked = -_LOOK
        self.exhausted = False
        with self._explained():
            self._client = redis.Redis.from_url(url)
            for stream in self._streams:
                try:
                    self._client.xgroup_create(stream, GROUP, id="0", mkstream=True)
                except redis.ResponseError as error:
                    if "BUSYGROUP" not in str(error):
                        raise

    @property
    def name(self) -> str:
        """The server keeps the position."""
        return f"redis:{self._shown}"

    def go_on(self, position: str | None, member: Member) -> None:
        """The group knows what was acknowledged, and by whom."""
        self._member = member

    def take(self, most: int, seconds: float) -> Batch:
        """First what workers have left that are gone, then what is new, in the order of each stream."""
        with self._explained():
            found = self._left(most)
            if not found:
                wanted: dict[Any, Any] = dict.fromkeys(self._streams, ">")
                milliseconds = max(1, int(seconds * 1000))
                answer: Any = self._client.xreadgroup(GROUP, self._name, wanted, count=most, block=milliseconds)
                found = [(stream, id_, fields) for stream, entries in answer or () for id_, fields in entries]
        self.exhausted = not found
        batch = Batch([Raw(self._streams[stream], _body(fields)) for stream, _, fields in found])
        self._entries = {id(batch): [(stream, id_) for stream, id_, _ in found]}
        return batch

    def done(self, batch: Batch, told: Told) -> None:
        """Acknowledge a batch, and tell of what was set aside: both or neither."""
        entries = self._entries.get(id(batch), [])
        if not entries:
            return
        with self._explained():
            pipe = self._client.pipeline(transaction=True)
            for source, line in told.letters:
                pipe.xadd(f"{PREFIX}{source}{DEAD}", {"event": line})
            for stream in self._streams:
                ids = [id_ for each, id_ in entries if each == stream]
                if ids:
                    pipe.xack(stream, GROUP, *ids)
            pipe.execute()
        self._entries.clear()

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _left(self, most: int) -> list[tuple[bytes, bytes, Mapping[bytes, bytes]]]:
        """Entries that were given to a worker that is gone, and not acknowledged."""
        if time.monotonic() - self._looked < _LOOK:
            return []
        found: list[tuple[bytes, bytes, Mapping[bytes, bytes]]] = []
        for stream in self._streams:
            for consumer in self._gone(stream):
                left: Any = self._client.xpending_range(stream, GROUP, "-", "+", most, consumername=consumer)
                ids = [each["message_id"] for each in left][: most - len(found)]
                if ids:
                    claimed: Any = self._client.xclaim(stream, GROUP, self._name, min_idle_time=0, message_ids=ids)
                    found += [(stream, id_, fields) for id_, fields in claimed if fields is not None]
                elif not left:
                    self._client.xgroup_delconsumer(stream, GROUP, consumer)
        if not found:
            self._looked = time.monotonic()
        return found

    def _gone(self, stream: bytes) -> list[bytes]:
        """Consumers that do not run any more: of our group's workers we know, others have been silent for long."""
        assert self._member is not None
        found = []
        consumers: Any = self._client.xinfo_consumers(stream, GROUP)
        for each in consumers:
            name = each["name"].decode(errors="replace")
            ours = name.rpartition("-")[0] == self._member.group
            if self._member.gone(name) if ours else each["idle"] > _SILENT:
                found.append(each["name"])
        return found

    @property
    def _name(self) -> str:
        assert self._member is not None
        return self._member.name

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import redis

        try:
            yield
        except ValueError:  # which may quote a part of a password
            raise LimnerError(
                f"events of {self._shown}: cannot read this URL; in a password, write %2F for / and %3A for :"
            ) from None
        except redis.RedisError as error:
            raise LimnerError(f"events of {self._shown}: {mask(str(error))}; see that the server runs") from error


def _body(fields: Mapping[bytes, bytes]) -> bytes:
    if FIELD in fields:
        return fields[FIELD]
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    return json.dumps(texts).encode()

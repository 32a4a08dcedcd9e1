"""Events from Redis Streams (Redis or Valkey): a stream a source, read by a consumer group.

An entry is one event: its field `event` is the JSON object; without one, the fields are its columns, as texts. An entry
is acknowledged when it has happened. What a worker that died had not acknowledged is claimed by the next one, before
anything new.
"""

import json
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from limner.language.errors import LimnerError
from limner.workers.stream.events import Raw
from limner.workers.stream.inputs import Batch, Told

GROUP = "limner"
PREFIX = "events:"
DEAD = ":dead"
FIELD = b"event"
_CLAIMED = 1000  # entries a round trip
Entry = tuple[bytes, bytes]  # stream, id


class RedisStreams:
    """The streams `events:SOURCE`; what cannot be taken goes to `events:SOURCE:dead`, with its reason."""

    def __init__(self, url: str, sources: Sequence[str]) -> None:
        """Connect, and make the group where there is none; it begins with the oldest entry."""
        import redis

        self._shown = re.sub(r"(?<=:)[^:@/]+(?=@)", "***", url)
        self._streams = {f"{PREFIX}{source}".encode(): source for source in sources}
        self._consumer = f"{socket.gethostname()}-{os.getpid()}"
        self._entries: dict[int, list[Entry]] = {}  # by batch, until it is done
        self._claimed = False
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

    def go_on(self, position: str | None) -> None:
        """Nothing: the group knows what was acknowledged."""

    def take(self, most: int, seconds: float) -> Batch:
        """First what an earlier worker has left, then what is new, in the order of each stream."""
        with self._explained():
            found = [] if self._claimed else self._left(most)
            if not found:
                self._claimed = True
                wanted: dict[Any, Any] = dict.fromkeys(self._streams, ">")
                milliseconds = max(1, int(seconds * 1000))
                answer: Any = self._client.xreadgroup(GROUP, self._consumer, wanted, count=most, block=milliseconds)
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
        """Entries that were given to a worker and not acknowledged. One worker follows a project: it is dead."""
        found: list[tuple[bytes, bytes, Mapping[bytes, bytes]]] = []
        for stream in self._streams:
            at: Any = b"0-0"
            while len(found) < most:
                answer: Any = self._client.xautoclaim(
                    stream, GROUP, self._consumer, min_idle_time=0, start_id=at, count=min(most, _CLAIMED)
                )
                at, entries = answer[0], answer[1]
                found += [(stream, id_, fields) for id_, fields in entries if fields is not None]
                if at == b"0-0":
                    break
        return found

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import redis

        try:
            yield
        except redis.RedisError as error:
            raise LimnerError(f"events of {self._shown}: {error}; see that the server runs") from error


def _body(fields: Mapping[bytes, bytes]) -> bytes:
    if FIELD in fields:
        return fields[FIELD]
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    return json.dumps(texts).encode()

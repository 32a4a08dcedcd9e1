"""Events by HTTP: `POST /events` on this machine, answered when they have happened.

    POST /events/taps      (or /events?source=taps; /events where one source is followed)
    Content-Type: application/json: an object, or a list of them; application/x-ndjson: an object a line
    200 {"taken": 1, "repeated": 0, "refused": [{"event": 1, "reason": "has no tap_id"}],
         "quarantined": [{"id": "7f3a", "reason": "shopper_now: amount < 0"}]}

400: the body is no JSON; 404: nobody follows the source; 413: too much at once; 503: try again, the worker is behind.
"""

import asyncio
import contextlib
import ipaddress
import json
import queue
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from limner.language.errors import LimnerError
from limner.workers.stream.events import Raw, once
from limner.workers.stream.inputs import Batch, Member, Sharing, Told

MOST_BYTES, MOST_EVENTS = 10_000_000, 10_000  # of one request
_WAITING = 20_000  # events that are not yet with the worker: more are told to come again
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class _RefusedError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class _Request:
    events: Sequence[Raw]
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[dict[str, Any]]"

    def settle(self, found: dict[str, Any]) -> None:
        def settle() -> None:
            if not self.answer.done():
                self.answer.set_result(found)

        with contextlib.suppress(RuntimeError):  # the server is gone, and so is who asked
            self.loop.call_soon_threadsafe(settle)


@dataclass
class HttpEvents:
    """A server on a loopback address; `close` answers what is under way."""

    url: str
    sources: Sequence[str]
    ids: dict[str, str]  # by source the name of its id
    shared: bool = False  # whether other workers listen there, too: the kernel shares connections out
    exhausted: bool = False
    sharing: Sharing = Sharing.OWN
    _queue: "queue.Queue[_Request]" = field(default_factory=queue.Queue)
    _given: dict[int, list[_Request]] = field(default_factory=dict)
    _waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: Any = None
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        """Have the address. LimnerError where it is not this machine's own, or is taken."""
        parts = urlsplit(self.url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 8090
        if host != "localhost" and not _loopback(host):
            raise LimnerError(
                f"--from {self.url}: events are taken on this machine only, such as http://127.0.0.1:8090: put a "
                "server that knows its clients in front"
            )
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.shared:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise LimnerError(f"--from {self.url}: {error}") from error

    @property
    def name(self) -> str:
        """Who sends events again tells so by their ids."""
        return "http"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def go_on(self, position: str | None, member: Member) -> None:
        """Listen: whoever connects is answered from now on."""
        import uvicorn

        self._socket.listen(2048)
        config = uvicorn.Config(
            self._app, interface="asgi3", loop="asyncio", ws="none", lifespan="off", access_log=False,
            log_level="warning", server_header=False, timeout_graceful_shutdown=5,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def take(self, most: int, seconds: float) -> Batch:
        """The events of whole requests, at least one; waits so long for it."""
        requests: list[_Request] = []
        count, deadline = 0, time.monotonic() + seconds
        while count < most:
            try:
                wait = max(0.0, deadline - time.monotonic()) if not requests else 0.0
                request = self._queue.get(timeout=wait) if wait else self._queue.get_nowait()
            except queue.Empty:
                break
            requests.append(request)
            count += len(request.events)
        with self._lock:
            self._waiting -= count
        batch = Batch([raw for request in requests for raw in request.events])
        self._given = {id(batch): requests}
        return batch

    def done(self, batch: Batch, told: Told) -> None:
        """Answer the requests."""
        place = 0
        for request in self._given.pop(id(batch), ()):
            refused = [
                {"event": n, "reason": told.refused[place + n]}
                for n in range(len(request.events))
                if place + n in told.refused
            ]
            quarantined = [
                {"id": id_, "reason": reason}
                for source, id_ in told.quarantined
                if any(raw.source == source and self._id(raw) == id_ for raw in request.events)
                for reason in told.quarantined[source, id_]
            ]
            again = sum(1 for n in range(len(request.events)) if place + n in told.again)
            taken = len(request.events) - len(refused) - again
            request.settle({"taken": taken, "repeated": again, "refused": refused, "quarantined": quarantined})
            place += len(request.events)

    def close(self) -> None:
        """Stop listening; who waits is told to come again."""
        if self._server is not None:
            self._server.should_exit = True
        while not self._queue.empty():
            self._queue.get_nowait().settle({"status": 503})
        for requests in self._given.values():
            for request in requests:
                request.settle({"status": 503})
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._socket.close()

    def _id(self, raw: Raw) -> str | None:
        try:
            return str(json.loads(raw.body).get(self.ids[raw.source]))
        except (ValueError, AttributeError, KeyError, RecursionError):
            return None

    async def _app(self, scope: Any, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        try:
            status, body = await self._answer(scope, receive)
        except _RefusedError as error:
            status, body = error.status, {"error": str(error)}
        headers = [(b"content-type", b"application/json")] + [(b"retry-after", b"1")] * (status == 503)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    async def _answer(self, scope: Any, receive: Callable[[], Awaitable[Message]]) -> tuple[int, dict[str, Any]]:
        path, method = scope["path"].rstrip("/"), scope["method"]
        if path == "/health" and method == "GET":
            return 200, {"status": "ok"}
        if path != "/events" and not path.startswith("/events/"):
            raise _RefusedError(404, "there is POST /events/SOURCE and GET /health")
        if method != "POST":
            raise _RefusedError(405, "POST events")
        source = self._source(path, scope["query_string"])
        events = [Raw(source, body) for body in _bodies(await _read(receive), scope["headers"])]
        if len(events) > MOST_EVENTS:
            raise _RefusedError(413, f"{len(events):,} events: send at most {MOST_EVENTS:,} at a time")
        with self._lock:
            if self._waiting + len(events) > _WAITING:
                raise _RefusedError(503, "the worker is behind: try again")
            self._waiting += len(events)
        loop = asyncio.get_running_loop()
        request = _Request(events, loop, loop.create_future())
        self._queue.put(request)
        found = await request.answer
        if found.get("status"):
            raise _RefusedError(503, "the worker stops: try again")
        return 200, found

    def _source(self, path: str, query: bytes) -> str:
        named = path.removeprefix("/events").strip("/") or parse_qs(query.decode("latin-1")).get("source", [""])[0]
        if not named and len(self.sources) == 1:
            return self.sources[0]
        if named not in self.sources:
            raise _RefusedError(404, f"no source {named!r} is followed: there is {', '.join(self.sources)}")
        return named


async def _read(receive: Callable[[], Awaitable[Message]]) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _RefusedError(400, "the client has gone")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            raise _RefusedError(413, f"send at most {MOST_BYTES:,} bytes at a time")
        if not message.get("more_body"):
            return b"".join(parts)


def _bodies(body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """One JSON text an event; whether it is an event is for the worker to say."""
    kind = next((value for name, value in headers if name == b"content-type"), b"").split(b";")[0].strip()
    if kind in (b"application/x-ndjson", b"application/jsonl"):
        found = [line.strip() for line in body.splitlines() if line.strip()]
    else:
        try:
            value = json.loads(body, object_pairs_hook=once)
        except (ValueError, RecursionError) as error:
            raise _RefusedError(400, f"the body is not JSON: {error}") from None
        found = [json.dumps(each).encode() for each in (value if isinstance(value, list) else [value])]
    if not found:
        raise _RefusedError(400, "there is no event in the body")
    return found


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

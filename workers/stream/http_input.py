"""Events by HTTP: `POST /events` on this machine, answered when they have happened.

    POST /events/taps      (or /events?source=taps; /events where one source is followed)
    Content-Type: application/json: an object, or a list of them; application/x-ndjson: an object a line
    200 {"taken": 1, "repeated": 0, "refused": [{"event": 1, "reason": "has no tap_id"}],
         "quarantined": [{"id": "7f3a", "reason": "shopper_now: amount < 0"}]}

422: the same, and none was taken; other answers say `error`. `GET /openapi.json` describes them all.
"""

import asyncio
import contextlib
import json
import logging
import queue
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from limner.language.errors import LimnerError
from limner.workers.api_keys import ApiKeys
from limner.workers.stream.events import Raw
from limner.workers.stream.http_description import Form, description
from limner.workers.stream.http_requests import (
    Body,
    GoneError,
    Held,
    Limits,
    Message,
    Receive,
    RequestError,
    Scope,
    admit,
    are_lines,
    bodies,
    loopback,
)
from limner.workers.stream.inputs import Batch, Member, Sharing, Told

PORT = 8090
KEY = "LIMNER_STREAM_API_KEY"
_CONNECTIONS = 1000  # at a time
Send = Callable[[Message], Awaitable[None]]
log = logging.getLogger("limner.stream")


@dataclass
class _Request:
    events: Sequence[Raw]
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[dict[str, Any] | None]"

    def settle(self, found: dict[str, Any] | None) -> None:
        """What became of the events; None: nobody will say."""

        def settle() -> None:
            if not self.answer.done():
                self.answer.set_result(found)

        with contextlib.suppress(RuntimeError):  # the server is gone, and so is who asked
            self.loop.call_soon_threadsafe(settle)


@dataclass
class HttpEvents:
    """A server on a loopback address; `close` answers what is under way."""

    url: str
    forms: Mapping[str, Form]  # by source
    shared: bool = False  # whether other workers listen there, too: the kernel shares connections out
    limits: Limits = field(default_factory=Limits)
    exhausted: bool = False
    sharing: Sharing = Sharing.OWN
    _queue: "queue.Queue[_Request]" = field(default_factory=queue.Queue)
    _given: dict[int, list[_Request]] = field(default_factory=dict)
    _waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: Any = None
    _thread: threading.Thread | None = None
    _closing: bool = False

    def __post_init__(self) -> None:
        """Have the address. LimnerError where it is not this machine's own, or is taken."""
        self._keys, self._held = ApiKeys.of_variable(KEY), Held(self.limits.all_size)
        self._described = description(self.forms, self.limits, guarded=bool(self._keys))
        parts = urlsplit(self.url)
        host, port = parts.hostname or "127.0.0.1", PORT if parts.port is None else parts.port
        if not loopback(host):
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
            log_level="warning", server_header=False, timeout_graceful_shutdown=5, limit_concurrency=_CONNECTIONS,
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
            places = range(place, place + len(request.events))
            refused = [{"event": n - place, "reason": told.refused[n]} for n in places if n in told.refused]
            again = sum(1 for n in places if n in told.again)
            taken = len(request.events) - len(refused) - again
            quarantined = self._quarantined(request, told)
            request.settle({"taken": taken, "repeated": again, "refused": refused, "quarantined": quarantined})
            place += len(request.events)

    def close(self) -> None:
        """Stop listening; who waits is told to come again."""
        with self._lock:
            self._closing = True
        if self._server is not None:
            self._server.should_exit = True
        while not self._queue.empty():
            self._queue.get_nowait().settle(None)
        for requests in self._given.values():
            for request in requests:
                request.settle(None)
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._socket.close()

    def _quarantined(self, request: _Request, told: Told) -> list[dict[str, str]]:
        (source,) = {raw.source for raw in request.events}
        some = {id_: reasons for (name, id_), reasons in told.quarantined.items() if name == source}
        ids = {self._id(raw) for raw in request.events} if some else set()
        return [{"id": id_, "reason": each} for id_, reasons in some.items() if id_ in ids for each in reasons]

    def _id(self, raw: Raw) -> str | None:
        try:
            return str(json.loads(raw.body).get(self.forms[raw.source].id))
        except (ValueError, AttributeError, RecursionError):
            return None

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"content-type": "application/json"}
        try:
            status, found = await self._answer(scope, receive)
        except GoneError:
            return
        except RequestError as error:
            status, found = error.status, {"error": str(error)}
            headers |= error.headers
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            status, found = 500, {"error": "the server failed: its log says how"}
        body = json.dumps(found).encode()
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        pairs.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, dict[str, Any]]:
        path, method = scope["path"].rstrip("/") or "/", scope["method"]
        admit(scope, ApiKeys(()) if path == "/health" else self._keys)
        if path in ("/health", "/openapi.json"):
            if method not in ("GET", "HEAD"):
                raise RequestError(405, f"{path} takes GET", allow="GET, HEAD")
            return 200, {"status": "ok"} if path == "/health" else self._described
        if path != "/events" and not path.startswith("/events/"):
            raise RequestError(404, "there is POST /events/SOURCE, GET /health and GET /openapi.json")
        source = self._source(path, scope["query_string"])
        if method != "POST":
            raise RequestError(405, "POST events", allow="POST")
        lines, body = are_lines(scope), Body(self._held, self.limits)
        try:
            texts = bodies(await body.read(scope, receive), lines=lines)
            return await self._happen([Raw(source, text) for text in texts])
        finally:
            body.release()

    async def _happen(self, events: Sequence[Raw]) -> tuple[int, dict[str, Any]]:
        """Give them to the worker, and wait for what becomes of them."""
        if len(events) > self.limits.events:
            raise RequestError(413, f"{len(events):,} events: send at most {self.limits.events:,} at a time")
        loop = asyncio.get_running_loop()
        request = _Request(events, loop, loop.create_future())
        with self._lock:
            if self._closing:
                raise _again("the worker stops")
            if self._waiting + len(events) > self.limits.all_events:
                raise _again("the worker is behind")
            self._waiting += len(events)
            self._queue.put(request)
        try:
            found = await asyncio.wait_for(request.answer, self.limits.answer)
        except TimeoutError:
            raise _again("the worker is behind, and may have taken them by then") from None
        if found is None:
            raise _again("the worker stops")
        return (200 if found["taken"] or found["repeated"] else 422), found

    def _source(self, path: str, query: bytes) -> str:
        named = path.removeprefix("/events").strip("/")
        try:
            asked = parse_qs(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query))
        except ValueError:
            raise RequestError(400, "the query cannot be read") from None
        if asked and (named or list(asked) != ["source"] or len(asked["source"]) > 1):
            raise RequestError(400, "the query is source=NAME, where the path does not name it, or there is none")
        named = asked["source"][0] if asked else named
        if not named and not asked and len(self.forms) == 1:
            return next(iter(self.forms))
        if named not in self.forms:
            raise RequestError(404, f"no source {named!r} is followed: there is {', '.join(self.forms)}")
        return named


def _again(why: str) -> RequestError:
    return RequestError(503, f"{why}: send them again, they count once", retry_after="1")

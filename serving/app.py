"""The server as an ASGI application: routes, bounds, who may, and what is counted."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import orjson

from limner.feature_repo.feast_app import status_of
from limner.language.errors import LimnerError
from limner.serving import health, openapi, reads
from limner.serving.asked import SimilarAsked
from limner.serving.messages import (
    GoneError,
    HttpError,
    Receive,
    Reply,
    Scope,
    Send,
    body_of,
    parsed,
    refusal,
)
from limner.serving.metrics import Metrics
from limner.serving.neighbours import Neighbours
from limner.serving.reads import Read
from limner.serving.served import Holder, Served
from limner.serving.settings import ServeSettings
from limner.workers.api_keys import ApiKeys

log = logging.getLogger("limner.serve")
T = TypeVar("T")
Handler = Callable[[Scope, Receive, Send], Awaitable[Reply | None]]
_OPEN = {"/health", "/health/live", "/health/ready"}  # without a key: who asks is no client


class App:
    """One worker. It looks for what has changed on disk while it runs."""

    def __init__(self, settings: ServeSettings, keys: ApiKeys, *, folder: Path | None = None, slot: int = 0) -> None:
        self._settings, self._keys, self._limits = settings, keys, settings.limits
        self._metrics = Metrics(folder, slot)
        self._holder = Holder(settings.root)
        self._neighbours = Neighbours(settings)
        self._threads = ThreadPoolExecutor(settings.limits.reads, thread_name_prefix="limner-read")
        self._waiting = 0
        self._chores: asyncio.Task[None] | None = None
        self._routes: dict[str, dict[str, Handler]] = {
            "/get-online-features": {"POST": self._feast},
            "/profiles": {"GET": self._list, "POST": self._profiles},
            "/profiles/{name}/{key}": {"GET": self._profile},
            "/similar": {"POST": self._similar},
            "/health": {"GET": self._ready},
            "/health/live": {"GET": self._live},
            "/health/ready": {"GET": self._ready},
            "/metrics": {"GET": self._scrape},
            "/openapi.json": {"GET": self._description},
            "/docs": {"GET": self._page},
        }

    def read_project(self) -> None:
        """Before it serves. LimnerError where the project cannot be read."""
        if self._holder.look() is False:
            raise LimnerError(f"the project cannot be served: {self._holder.problem}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._live_through(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, path, method = time.perf_counter(), scope["path"], scope["method"]
        route = self._route(path)
        status = _Status(send)
        try:
            reply = await self._handler(route, path, method, scope)(scope, receive, status)
        except GoneError:
            return
        except HttpError as error:
            reply = refusal(error)
        except LimnerError as error:
            reply = refusal(HttpError(status_of(error), str(error)))
        except Exception:
            log.exception("%s %s failed", method, route)
            reply = refusal(HttpError(500, "the server failed: its log says how"))
        if reply is not None:
            self._count(reply)
            await reply.send(status)
        self._metrics.answered(route, status.sent, time.perf_counter() - begun)

    def at_once(self, scope: Scope, body: bytes) -> Reply | None:
        """The answer to a whole request, where nobody has to be waited for and nothing is wrong; None: call the app.

        Of `scope` it takes `method`, `raw_path`, `query_string` and `headers`.
        """
        begun, route = time.perf_counter(), self._route(scope["raw_path"].decode("latin-1"))
        try:
            if not self._holder.now.local or len(body) > self._limits.body_bytes:
                return None
            if not self._keys.open_to(scope["headers"]):
                return None
            read = self._short(route, scope, body)
            reply = None if read is None or not read.short else read.answer()
        except Exception:  # noqa: BLE001 - the long way says what is wrong
            return None
        if reply is not None:
            self._count(reply)
            self._metrics.answered(route, reply.status, time.perf_counter() - begun)
        return reply

    def _route(self, path: str) -> str:
        if path in self._routes:
            return path
        return "/profiles/{name}/{key}" if path.startswith("/profiles/") else "other"

    def _short(self, route: str, scope: Scope, body: bytes) -> Read | None:
        match scope["method"], route:
            case "POST", "/get-online-features":
                served, asked = self._holder.now, reads.of_feast(scope, body, self._limits)
                return None if asked is None else reads.planned(served, served.registered.known(asked[0]), *asked)
            case "POST", "/profiles":
                return reads.many(self._open(), scope, body, self._limits)
            case "GET", "/profiles/{name}/{key}":
                return reads.profile(self._open(), scope)
        return None

    def _count(self, reply: Reply) -> None:
        if reply.lookups is not None:
            name, rows, missing = reply.lookups
            self._metrics.count("limner_keys_total", rows, profile=name)
            self._metrics.count("limner_missing_keys_total", missing, profile=name)

    def _handler(self, route: str, path: str, method: str, scope: Scope) -> Handler:
        if path not in _OPEN and not self._keys.open_to(scope["headers"]):
            raise HttpError(401, "give an API key: `X-API-Key: KEY` or `Authorization: Bearer KEY`",
                            {"www-authenticate": "Bearer"})  # fmt: skip
        methods = self._routes.get(route)
        if methods is None:
            raise HttpError(404, f"there is no {path}: see /docs")
        handler = methods.get("GET" if method == "HEAD" else method)
        if handler is None:
            allowed = ", ".join(methods)
            raise HttpError(405, f"{route} takes {allowed}", {"allow": allowed})
        return handler

    # What is answered

    async def _feast(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        body, served = await body_of(scope, receive, self._limits), self._holder.now
        asked, read = reads.of_feast(scope, body, self._limits), None
        if asked is not None:
            shape, entities = asked
            try:
                plan = served.registered.known(shape)
            except KeyError:
                plan = await self._in_thread(served.registered.plan, shape)
            read = reads.planned(served, plan, shape, entities)
        if read is not None:
            return await self._read(read)
        await self._by_feast(served, scope, body, send)
        return None

    async def _by_feast(self, served: Served, scope: Scope, body: bytes, send: Send) -> None:
        """Hand a request to Feast's own server, in this process."""
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await (
                    asyncio.Event().wait()
                )  # it asks whether the client has gone; it is cancelled when it has answered
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        started = send if isinstance(send, _Status) else _Status(send)
        scope = {**scope, "app": None, "root_path": "", "state": {}}
        try:
            async with asyncio.timeout(self._limits.seconds):
                await served.registered.app(scope, receive, started)
        except TimeoutError:
            if started.sent == 0:
                raise HttpError(504, f"Feast did not answer within {self._limits.seconds:g} s") from None
        except Exception:
            if started.sent == 0:  # Starlette raises again what it has already answered with 500
                raise
            log.exception("Feast failed")

    async def _profile(self, scope: Scope, receive: Receive, send: Send) -> Reply:
        return await self._read(reads.profile(self._open(), scope))

    async def _profiles(self, scope: Scope, receive: Receive, send: Send) -> Reply:
        body = await body_of(scope, receive, self._limits)
        return await self._read(reads.many(self._open(), scope, body, self._limits))

    async def _similar(self, scope: Scope, receive: Receive, send: Send) -> Reply:
        asked = SimilarAsked.of(parsed(scope, await body_of(scope, receive, self._limits)), self._limits)
        served = self._open()
        return await self._in_thread(self._neighbours.answer, served, asked)

    async def _list(self, scope: Scope, receive: Receive, send: Send) -> Reply:
        return await self._in_thread(openapi.listing, self._open())

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> Reply:
        return Reply(b'{"status":"live"}')

    async def _ready(self, scope: Scope, receive: Receive, send: Send) -> Reply:
        return await self._in_thread(health.ready, self._holder)

    async def _scrape(self, scope: Scope, receive: Receive, send: Send) -> Reply:
        gauges = await self._in_thread(health.gauges, self._holder)
        return Reply(self._metrics.text(gauges).encode(), media="text/plain; version=0.0.4; charset=utf-8")

    async def _description(self, scope: Scope, receive: Receive, send: Send) -> Reply:
        return Reply(orjson.dumps(openapi.description(self._settings, guarded=bool(self._keys))))

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> Reply:
        return Reply(openapi.page(self._settings, guarded=bool(self._keys)), media="text/html; charset=utf-8")

    # How

    def _open(self) -> Served:
        """What is served. HttpError 403 where Feast's permissions decide: they are about Feast's requests."""
        served = self._holder.now
        if served.registered.guarded:
            raise HttpError(
                403, "this project's `auth` lets Feast decide who may read what: ask with POST /get-online-features"
            )
        return served

    async def _read(self, read: Read) -> Reply:
        """Short reads of a local file at once, others in a thread."""
        return read.answer() if read.short else await self._in_thread(read.answer)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        if self._waiting >= self._limits.waiting:
            self._metrics.count("limner_refused_total")
            raise HttpError(503, "too many requests wait here: try again", {"retry-after": "1"})
        self._waiting += 1
        future: asyncio.Future[T] = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        future.add_done_callback(self._done)
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            raise HttpError(504, f"there was no answer within {self._limits.seconds:g} s") from None

    def _done(self, future: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # somebody has asked: asyncio need not log it where nobody waits any more

    async def _live_through(self, receive: Receive, send: Send) -> None:
        await receive()
        self._metrics.write()
        self._chores = asyncio.create_task(self._do_chores())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._chores.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._chores
        self._metrics.write()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def _do_chores(self) -> None:
        """Look for what has changed, and let other workers see the numbers."""
        while True:
            await asyncio.sleep(self._settings.refresh)
            try:
                took_up = await asyncio.to_thread(self._holder.look)
                if took_up is not None:
                    self._metrics.count("limner_reloads_total", outcome="taken up" if took_up else "failed")
                self._metrics.write()
            except Exception:
                log.exception("a chore failed")


class _Status:
    """What passes to `send`, and the status that was sent; 0 before."""

    def __init__(self, send: Send) -> None:
        self._send, self.sent = send, 0

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.sent = message["status"]
        await self._send(message)

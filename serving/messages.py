"""Requests and answers: bodies read within bounds, answers written in one piece."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from limner.serving.settings import Limits

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
READ_ON = 4  # times the longest body
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


class HttpError(Exception):
    """A request that is not answered as it wishes: the status, and what to do about it."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.headers = status, dict(headers or {})
        super().__init__(message)


class GoneError(Exception):
    """The client went away before its request was complete."""


@dataclass(frozen=True)
class Reply:
    """An answer; `route` is what it is counted under, and `lookups` (profile or view, rows, rows not there)."""

    body: bytes
    status: int = 200
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    lookups: tuple[str, int, int] | None = None

    @property
    def head(self) -> list[tuple[bytes, bytes]]:
        """Its headers."""
        found = [(b"content-type", self.media.encode()), (b"content-length", b"%d" % len(self.body))]
        return found + [(name.encode(), value.encode()) for name, value in self.headers.items()]

    async def send(self, send: Send) -> None:
        """Write it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.head})
        await send({"type": "http.response.body", "body": self.body})


def refusal(error: HttpError) -> Reply:
    """An error as its own answer."""
    return Reply(orjson.dumps({"error": str(error)}), error.status, headers=error.headers)


def header(scope: Scope, name: bytes) -> bytes:
    """The first header of that name (lower case), empty where there is none."""
    return next((value for each, value in scope["headers"] if each == name), b"")


async def body_of(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """A request's body. HttpError 413 if it is too long, 408 if it does not come; GoneError if nobody waits.

    One that is not much too long is read to its end: a client that is still writing does not hear an answer.
    """
    declared, most = header(scope, b"content-length"), READ_ON * limits.body_bytes
    if declared.isdigit() and int(declared) > most:
        raise _too_long(limits, {"connection": "close"})
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise GoneError
                part = message.get("body", b"")
                size += len(part)
                if size > most:
                    raise _too_long(limits, {"connection": "close"})
                if size <= limits.body_bytes:
                    parts.append(part)
                if not message.get("more_body"):
                    if size > limits.body_bytes:
                        raise _too_long(limits)
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise HttpError(408, f"the body did not come within {limits.seconds:g} s", {"connection": "close"}) from None


def _too_long(limits: Limits, headers: Mapping[str, str] | None = None) -> HttpError:
    return HttpError(413, f"a body has at most {limits.body_bytes:,} bytes: ask for fewer keys at a time", headers)


def is_json(scope: Scope) -> bool:
    """Whether a body says that it is JSON."""
    return header(scope, b"content-type").partition(b";")[0].strip().lower() == b"application/json"


def parsed(scope: Scope, body: bytes) -> dict[str, Any]:
    """A JSON object. HttpError where it is something else."""
    if not is_json(scope):
        raise HttpError(415, "send JSON, with `Content-Type: application/json`")
    try:
        found = orjson.loads(body)
    except ValueError as error:
        raise HttpError(400, f"the body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise HttpError(422, "the body is a JSON object")
    return found

"""What a request to `POST /events` may be: who may send one, how long it is and takes, and the events in it."""

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from limner.workers.api_keys import ApiKeys
from limner.workers.stream.events import once

JSON, LINES = b"application/json", (b"application/x-ndjson", b"application/jsonl")
_READ_ON = 2  # times the longest body: a client that is still writing does not hear an answer
Message = MutableMapping[str, Any]
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


@dataclass(frozen=True)
class Limits:
    """Bytes and events of one request, seconds for its body and for its answer; bytes and events of all at once."""

    size: int = 10_000_000
    events: int = 10_000
    seconds: float = 10.0
    answer: float = 60.0
    all_size: int = 100_000_000
    all_events: int = 20_000  # that are not yet with the worker


class RequestError(Exception):
    """A request that is not taken: the status, and why."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class GoneError(Exception):
    """The client went away before its request was complete."""


@dataclass
class Held:
    """The bytes of all requests that are not answered yet."""

    most: int
    size: int = 0

    def add(self, size: int) -> None:
        """RequestError 503 where it is too much."""
        if self.size + size > self.most:
            raise RequestError(503, "too much waits here: try again", retry_after="1", connection="close")
        self.size += size


@dataclass
class Body:
    """A body as it comes; `size` bytes are held until `release`."""

    held: Held
    limits: Limits
    size: int = 0
    _parts: list[bytes] = field(default_factory=list)

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole. RequestError 413, 408 or 503; GoneError where the client hangs up."""
        declared, most = header(scope, b"content-length"), _READ_ON * self.limits.size
        if declared.isdigit() and (len(declared) > 15 or int(declared) > most):
            raise self._too_long(connection="close")
        try:
            async with asyncio.timeout(self.limits.seconds):
                while await self._more(await receive(), most):
                    pass
        except TimeoutError:
            text = f"the body did not come within {self.limits.seconds:g} s"
            raise RequestError(408, text, connection="close") from None
        return b"".join(self._parts)

    def release(self) -> None:
        """It is answered."""
        self.held.size -= sum(map(len, self._parts))
        self._parts.clear()

    async def _more(self, message: Message, most: int) -> bool:
        if message["type"] == "http.disconnect":
            raise GoneError
        part = message.get("body", b"")
        self.size += len(part)
        if self.size > most:
            raise self._too_long(connection="close")
        if self.size <= self.limits.size:
            self.held.add(len(part))
            self._parts.append(part)
        elif not message.get("more_body"):
            raise self._too_long()
        return bool(message.get("more_body"))

    def _too_long(self, **headers: str) -> RequestError:
        return RequestError(413, f"send at most {self.limits.size:,} bytes at a time", **headers)


def admit(scope: Scope, keys: ApiKeys) -> None:
    """RequestError where who asks may not.

    With keys, who has one may. Without, programs of this machine may, and web pages may not, though a browser of this
    machine shows them: they say so by `Origin`; those that have made their own name one of this machine, by `Host`.
    """
    if keys:
        if not keys.open_to(scope["headers"]):
            wanted = "give an API key: `X-API-Key: KEY` or `Authorization: Bearer KEY`"
            raise RequestError(401, wanted, www_authenticate="Bearer")
        return
    if any(name == b"origin" for name, _ in scope["headers"]):
        raise RequestError(403, "events are not taken from web pages")
    host = header(scope, b"host").decode("latin-1")
    if host and not loopback(_name(host)):
        raise RequestError(421, f"this is not {host}: ask for 127.0.0.1 or localhost")


def are_lines(scope: Scope) -> bool:
    """Whether a body is a JSON text a line. RequestError 415 where it is neither that nor JSON.

    A page can make a browser send any form or plain text, but neither of these two without being asked.
    """
    kind, _, more = header(scope, b"content-type").partition(b";")
    kind, more = kind.strip().lower(), more.replace(b" ", b"").replace(b'"', b"").lower()
    if header(scope, b"content-encoding") not in (b"", b"identity"):
        raise RequestError(415, "send the body as it is, without `Content-Encoding`")
    if kind not in (JSON, *LINES) or more not in (b"", b"charset=utf-8"):
        raise RequestError(415, "send `Content-Type: application/json`, or application/x-ndjson; both are UTF-8")
    return kind != JSON


def bodies(body: bytes, *, lines: bool) -> list[bytes]:
    """One JSON text an event; whether it is an event is for the worker to say. RequestError 400."""
    if lines:
        found = [line.strip() for line in body.split(b"\n") if line.strip()]
    else:
        try:
            value = json.loads(body.decode(), object_pairs_hook=once)
            found = [_text(each) for each in value] if isinstance(value, list) else [body.strip()]
        except UnicodeDecodeError as error:
            raise RequestError(400, f"the body is not UTF-8 (byte {error.start})") from None
        except RecursionError:
            raise RequestError(400, "the body is nested too deep") from None
        except ValueError as error:
            raise RequestError(400, f"the body is not JSON: {error}") from None
    if not found:
        raise RequestError(400, "there is no event in the body")
    return found


def header(scope: Scope, name: bytes) -> bytes:
    """The first header of that name (lower case), empty where there is none."""
    headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
    return next((value.strip() for each, value in headers if each == name), b"")


def loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _text(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character: the worker says so
        return json.dumps(value).encode()

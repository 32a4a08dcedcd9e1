"""HTTP/1.1 without sockets: the bytes of a request, the parts of an answer, and when to ask again."""

import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httptools

from limner.language.errors import LimnerError, UnavailableError
from limner.serving.client.calls import Call, failure

LONGEST_ANSWER = 1 << 30  # bytes
_AGAIN = {502, 503}  # nothing was done, and another moment or worker may do it
FIRST_PAUSE = 0.05  # seconds, doubled each time


@dataclass(frozen=True)
class Address:
    """Where a server is: `http://host:port` or `https://host:port`, perhaps with a path before the routes."""

    host: str
    port: int
    prefix: str
    tls: bool

    @classmethod
    def of(cls, url: str) -> "Address":
        """LimnerError for what is no such address."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise LimnerError(f"{url!r} is no address of a server: {error}") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise LimnerError(f"{url!r} is no address of a server: give http://host:port")
        tls = parts.scheme == "https"
        return cls(parts.hostname, port or (443 if tls else 80), parts.path.rstrip("/"), tls)

    def context(self) -> ssl.SSLContext | None:
        """Certificates are checked."""
        return ssl.create_default_context() if self.tls else None


class Wire:
    """How requests to one server are written."""

    def __init__(self, address: Address, api_key: str | None) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise LimnerError("an API key is ASCII, without line breaks")
        host = f"[{address.host}]" if ":" in address.host else address.host
        lines = [f"host: {host}:{address.port}", "content-type: application/json"]
        if api_key is not None:
            lines.append(f"x-api-key: {api_key}")
        self._head = "\r\n".join(lines)
        self._prefix = address.prefix

    def write(self, call: Call[Any]) -> bytes:
        """A request."""
        head = f"POST {self._prefix}{call.path} HTTP/1.1\r\n{self._head}\r\naccept: {call.accept}\r\n"
        return f"{head}content-length: {len(call.body)}\r\n\r\n".encode() + call.body


class Answer:
    """An answer as it comes in. `begun` says that some of it has."""

    def __init__(self) -> None:
        self.begun = self.complete = False
        self.status, self.kept = 0, False
        self._parts: list[bytes] = []
        self._size = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """The next bytes; none where the server has hung up. ConnectionError or LimnerError where it is no answer."""
        if not data:
            raise ConnectionError("the server hung up")
        self.begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, LimnerError):
                raise error.__context__ from None
            raise LimnerError(f"this is no HTTP answer: {error}") from None

    def body(self) -> bytes:
        """All of it."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def on_body(self, body: bytes) -> None:
        """The parser's."""
        self._size += len(body)
        if self._size > LONGEST_ANSWER:
            raise LimnerError(f"the answer is longer than {LONGEST_ANSWER >> 20:,} MiB: ask for fewer keys at a time")
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """The parser's."""
        self.complete, self.kept = True, self._parser.should_keep_alive()
        self.status = self._parser.get_status_code()


class Attempts:
    """How often one call is tried: it reads and changes nothing, so it may be asked again, within its time.

    A kept connection that the server has closed meanwhile is no failure: a new one is tried at once.
    """

    def __init__(self, retries: int, address: Address, timeout: float) -> None:
        self._left, self._pause = retries, FIRST_PAUSE
        self._where, self._timeout = f"{address.host}:{address.port}", timeout
        self.fresh = False  # no kept connection any more

    def after_failure(self, error: Exception, *, kept: bool) -> float:
        """Seconds to wait before the next attempt. UnavailableError where there is none."""
        self.fresh = True
        if kept:
            return 0.0
        if self._left <= 0:
            raise UnavailableError(f"cannot reach the server at {self._where}: {error}") from error
        return self._next()

    def after_answer(self, answer: Answer) -> float | None:
        """Seconds to wait before the next attempt, None where the answer stands. LimnerError where it is a refusal."""
        if answer.status == 200:
            return None
        if answer.status in _AGAIN and self._left > 0:
            return self._next()
        raise failure(answer.status, answer.body())

    def too_late(self) -> UnavailableError:
        """What is raised when the time is over."""
        return UnavailableError(f"the server at {self._where} did not answer within {self._timeout:g} s")

    def _next(self) -> float:
        self._left -= 1
        pause, self._pause = self._pause, 2 * self._pause
        return pause

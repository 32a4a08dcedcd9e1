"""uvicorn's HTTP protocol with a short way for requests that can be answered at once.

uvicorn parses a request, then runs the application in a task of its own and takes the answer from it in two messages:
a third of the time of a read of one profile. Here a request that nothing before it keeps waiting is held until it is
complete, and offered to the application as a plain call; what that has no answer to goes uvicorn's way.
"""

import asyncio
from typing import Any, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from limner.serving.messages import Reply, Scope

_PATIENCE = 0.05  # seconds that the body may come behind its headers: many clients send it by itself
_MOST = 1 << 16  # bytes of a body that is held


class AtOnce(Protocol):
    """An application that can answer some requests without waiting for anything."""

    def at_once(self, scope: Scope, body: bytes) -> Reply | None:
        """The answer to a request; None where the application has to be called in the common way."""


class ShortWay(HttpToolsProtocol):
    """One connection.

    Of requests that come in one piece only the first is held: who sends many at once must not keep others waiting.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._app = cast(AtOnce, self.config.app)
        self._free = False  # the next request may be held
        self._held: list[bytes] | None = None  # the body of the one that is
        self._waiting: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        answered = self.cycle is None or self.cycle.response_complete
        self._free = self._held is None and answered and not self.flow.write_paused
        super().data_received(data)
        if self._held is None:
            return
        if self.transport.is_closing():  # it was no HTTP after all
            self._forget()
        elif sum(map(len, self._held)) > _MOST:
            self._let_go()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(_PATIENCE, self._let_go)

    def on_headers_complete(self) -> None:
        """The parser has read the headers of a request."""
        parser = self.parser
        if (
            self._free
            and not self.expect_100_continue
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        ):
            self._held = []
        else:
            super().on_headers_complete()
        self._free = False

    def on_body(self, body: bytes) -> None:
        """The parser has read some of a body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        """The parser has read a request to its end."""
        if self._held is not None:
            reply = self._app.at_once(self._asked(), b"".join(self._held))
            if reply is not None:
                self._forget()
                self._write(reply)
                return
            self._let_go()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._forget()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: what is under way is answered, and what is held is under way."""
        if self._held is not None:
            self._let_go()
        super().shutdown()

    def _asked(self) -> Scope:
        path, _, query = self.url.partition(b"?")
        method = self.parser.get_method().decode("ascii")
        return {"method": method, "raw_path": path, "query_string": query, "headers": self.headers}

    def _forget(self) -> list[bytes]:
        held, self._held = self._held or [], None
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        return held

    def _let_go(self) -> None:
        """Go uvicorn's way with what has come of the request."""
        body = self._forget()
        super().on_headers_complete()
        for part in body:
            super().on_body(part)

    def _write(self, reply: Reply) -> None:
        head = b"".join([b"%b: %b\r\n" % each for each in reply.head])
        self.transport.writelines([STATUS_LINE[reply.status], head, b"\r\n", reply.body])
        self.on_response_complete()

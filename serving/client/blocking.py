"""`limner.Client`: profiles from `limner serve`.

with limner.Client("http://127.0.0.1:6566") as client:
    client.profile("recommender_v1", 14)             # a dict; None for a stranger
    client.read("shopper_taste", [14, 15, 16])       # an Arrow table
"""

import os
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

from limner.language.errors import LimnerError
from limner.serving.client import calls
from limner.serving.client.cache import Cache
from limner.serving.client.calls import Array, Call, Key, Keys, Neighbour, Request
from limner.serving.client.exchange import Address, Answer, Attempts, Wire

_CHUNK = 1 << 18
T = TypeVar("T")


class Client:
    """Threads may share it; each call takes a connection that is free, or makes one."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:6566",
        *,
        api_key: str | None = None,
        timeout: float = 5.0,
        retries: int = 2,
        connections: int = 16,
        cache_entries: int = 0,
        cache_seconds: float = 0.0,
    ) -> None:
        """`timeout`: seconds for a call with all its attempts. `retries`: further ones where the server cannot be
        reached or is busy. `connections`: those that are kept. The cache keeps up to `cache_entries` answers for up to
        `cache_seconds`. `api_key` is that of LIMNER_API_KEY if it is not given.
        """
        self._address = Address.of(url)
        self._context = self._address.context()
        self._wire = Wire(self._address, api_key or calls.key_of_environment())
        self._timeout, self._retries, self._connections = timeout, retries, connections
        self._cache = Cache(cache_entries, cache_seconds)
        self._free: deque[socket.socket] = deque()
        self._owner, self._lock, self._closed = os.getpid(), threading.Lock(), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are free; calls under way end first. No call can be made any more."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, deque()
        for each in free:
            each.close()

    def forget(self) -> None:
        """Empty the cache."""
        self._cache.clear()

    def profile(
        self, name: str, key: Key, *, features: Iterable[str] | None = None, request: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """One entity's profile (or view) as a dict, join keys first; None if nothing knows the entity."""
        return self.ask(calls.dicts(name, [key], features, request))[0]

    def profiles(
        self, name: str, keys: Keys, *, features: Iterable[str] | None = None, request: Request | None = None
    ) -> list[dict[str, Any] | None]:
        """The same for several entities, in the order given. `request`: one for all of them, or a list of one each."""
        return self.ask(calls.dicts(name, keys, features, request))

    def read(
        self, name: str, keys: Keys, features: Iterable[str] | None = None, *, request: Request | None = None
    ) -> Any:
        """An Arrow table as of `limner.Store.read`: a row a key, one of nulls for an unknown key."""
        return self.ask(calls.table(name, keys, features, request))

    def arrays(self, name: str, keys: Keys, features: Iterable[str] | None = None) -> dict[str, Array]:
        """NumPy arrays by column; a vector is float32 [keys, dim], NaN where there is none."""
        return self.ask(calls.arrays(name, keys, features))

    def similar(
        self, view: str, feature: str, key: Key = None, *, vector: Sequence[float] | None = None, k: int = 5
    ) -> list[Neighbour]:
        """The `k` entities nearest to the one of `key` (itself left out), or to `vector`, by cosine."""
        return self.ask(calls.similar(view, feature, key, vector, k))

    def get_online_features(
        self, features: Sequence[str] | str, entities: Mapping[str, Sequence[Any]], *, full_feature_names: bool = False
    ) -> dict[str, list[Any]]:
        """Feast's own request: references, or the name of a feature service. A list a name, as Feast's `to_dict`."""
        return self.ask(calls.online_features(features, entities, full_feature_names))

    def ask(self, call: Call[T]) -> T:
        """What a call is answered. UnknownNameError, UnavailableError, or another LimnerError where it is refused."""
        begun = time.monotonic()
        body = self._cache.get(call)
        if body is None:
            body = self._ask(call, begun + self._timeout)
            self._cache.put(call, body, begun)
        return call.decode(body)

    def _ask(self, call: Call[Any], deadline: float) -> bytes:
        attempts, request = Attempts(self._retries, self._address, self._timeout), self._wire.write(call)
        while True:
            connection = None if attempts.fresh else self._take()
            kept, answer = connection is not None, Answer()
            try:
                connection = connection or self._connect(deadline)
                self._exchange(connection, request, answer, deadline)
                if answer.kept:
                    self._give(connection)
                else:
                    connection.close()
                pause = attempts.after_answer(answer)
                if pause is None:
                    return answer.body()
            except TimeoutError:
                _close(connection)
                raise attempts.too_late() from None
            except OSError as error:
                _close(connection)
                pause = attempts.after_failure(error, kept=kept)
            except BaseException:
                if not answer.complete:  # half of an answer would be taken for the next one's
                    _close(connection)
                raise
            if time.monotonic() + pause >= deadline:
                raise attempts.too_late()
            time.sleep(pause)

    def _exchange(self, connection: socket.socket, request: bytes, answer: Answer, deadline: float) -> None:
        connection.settimeout(_left(deadline))
        connection.sendall(request)
        while not answer.complete:
            connection.settimeout(_left(deadline))
            answer.feed(connection.recv(_CHUNK))

    def _connect(self, deadline: float) -> socket.socket:
        made = socket.create_connection((self._address.host, self._address.port), timeout=_left(deadline))
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                return made
            return self._context.wrap_socket(made, server_hostname=self._address.host)
        except ssl.SSLCertVerificationError as error:
            made.close()
            raise LimnerError(f"the server's certificate is not accepted: {error.verify_message}") from error
        except BaseException:
            made.close()
            raise

    def _take(self) -> socket.socket | None:
        with self._lock:
            if self._closed:
                raise LimnerError("the client is closed")
            if self._owner != os.getpid():  # a process that was forked does not write into its parent's connections
                self._owner, self._free = os.getpid(), deque()
            return self._free.pop() if self._free else None

    def _give(self, connection: socket.socket) -> None:
        with self._lock:
            if not self._closed and len(self._free) < self._connections:
                self._free.append(connection)
                return
        connection.close()


def _left(deadline: float) -> float:
    """Seconds. TimeoutError where none are."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _close(connection: socket.socket | None) -> None:
    if connection is not None:
        connection.close()

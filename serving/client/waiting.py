"""`limner.AsyncClient`: `limner.Client` for asyncio.

async with limner.AsyncClient("http://127.0.0.1:6566") as client:
    await client.profile("recommender_v1", 14)
"""

import asyncio
import ssl
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
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
T = TypeVar("T")


class AsyncClient:
    """Tasks of one event loop may share it; each call takes a connection that is free, or makes one."""

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
        """As `Client`; `connections` is also how many calls may be under way at a time, others wait."""
        self._address = Address.of(url)
        self._context = self._address.context()
        self._wire = Wire(self._address, api_key or calls.key_of_environment())
        self._timeout, self._retries = timeout, retries
        self._cache = Cache(cache_entries, cache_seconds)
        self._free: deque[Connection] = deque()
        self._places, self._closed = asyncio.Semaphore(connections), False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections that are free; calls under way end first. No call can be made any more."""
        self._closed = True
        while self._free:
            self._free.pop()[1].close()

    def forget(self) -> None:
        """Empty the cache."""
        self._cache.clear()

    async def profile(
        self, name: str, key: Key, *, features: Iterable[str] | None = None, request: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """As of `Client`."""
        return (await self.ask(calls.dicts(name, [key], features, request)))[0]

    async def profiles(
        self, name: str, keys: Keys, *, features: Iterable[str] | None = None, request: Request | None = None
    ) -> list[dict[str, Any] | None]:
        """As of `Client`."""
        return await self.ask(calls.dicts(name, keys, features, request))

    async def read(
        self, name: str, keys: Keys, features: Iterable[str] | None = None, *, request: Request | None = None
    ) -> Any:
        """As of `Client`."""
        return await self.ask(calls.table(name, keys, features, request))

    async def arrays(self, name: str, keys: Keys, features: Iterable[str] | None = None) -> dict[str, Array]:
        """As of `Client`."""
        return await self.ask(calls.arrays(name, keys, features))

    async def similar(
        self, view: str, feature: str, key: Key = None, *, vector: Sequence[float] | None = None, k: int = 5
    ) -> list[Neighbour]:
        """As of `Client`."""
        return await self.ask(calls.similar(view, feature, key, vector, k))

    async def get_online_features(
        self, features: Sequence[str] | str, entities: Mapping[str, Sequence[Any]], *, full_feature_names: bool = False
    ) -> dict[str, list[Any]]:
        """As of `Client`."""
        return await self.ask(calls.online_features(features, entities, full_feature_names))

    async def ask(self, call: Call[T]) -> T:
        """What a call is answered. UnknownNameError, UnavailableError, or another LimnerError where it is refused."""
        body = self._cache.get(call)
        if body is None:
            begun, attempts = time.monotonic(), Attempts(self._retries, self._address, self._timeout)
            try:
                async with asyncio.timeout(self._timeout), self._places:
                    body = await self._ask(call, attempts)
            except TimeoutError:
                raise attempts.too_late() from None
            self._cache.put(call, body, begun)
        return call.decode(body)

    async def _ask(self, call: Call[Any], attempts: Attempts) -> bytes:
        request = self._wire.write(call)
        while True:
            connection = None if attempts.fresh else self._take()
            kept, answer = connection is not None, Answer()
            try:
                connection = connection or await self._connect()
                reader, writer = connection
                writer.write(request)
                while not answer.complete:
                    answer.feed(await reader.read(_CHUNK))
                self._give(connection, answer)
                pause = attempts.after_answer(answer)
                if pause is None:
                    return answer.body()
            except OSError as error:
                _close(connection)
                if isinstance(error, TimeoutError):
                    raise
                pause = attempts.after_failure(error, kept=kept)
            except BaseException:
                if not answer.complete:  # half of an answer would be taken for the next one's
                    _close(connection)
                raise
            await asyncio.sleep(pause)

    async def _connect(self) -> Connection:
        try:
            return await asyncio.open_connection(
                self._address.host, self._address.port, ssl=self._context, limit=_CHUNK
            )
        except ssl.SSLCertVerificationError as error:
            raise LimnerError(f"the server's certificate is not accepted: {error.verify_message}") from error

    def _take(self) -> Connection | None:
        if self._closed:
            raise LimnerError("the client is closed")
        return self._free.pop() if self._free else None

    def _give(self, connection: Connection, answer: Answer) -> None:
        if answer.kept and not self._closed:
            self._free.append(connection)
        else:
            connection[1].close()


def _close(connection: Connection | None) -> None:
    if connection is not None:
        connection[1].close()

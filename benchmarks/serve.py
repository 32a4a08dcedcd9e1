"""Profiles read over HTTP: `limner serve` beside `feast serve` over the same store, each a real server on loopback.

A profile is 20 scalars and a vector of 384; each request asks for other keys, and all contenders for the same ones, on
one connection that is kept, one request after the other, by the same small client, which parses nothing.

- **Feast's request** is `POST /get-online-features` for all features, to both servers; and to a third one,
  `feast serve` over Feast's own SQLite store with the same profiles.
- **8 at once** is Feast's request for one profile on each of eight connections, sent before the first answer is read.
- **a profile** is `GET /profiles/shopper/KEY`; **profiles** are `POST /profiles`, as JSON and as Arrow.
- **Client** is `limner.Client`, to the dict or the Arrow table.
- **similar** is `POST /similar`, k = 10, over all profiles.
- **while it is written** reads in process with `limner.Store`, as `limner bench online-read` does, while another
  process writes rows into the same view: a commit of 50 rows, 20 times a second.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import yaml

from limner.benchmarks.ports import free_port
from limner.benchmarks.profiles import KEY, VIEW, definitions, features, profile_table, schema, stock_write
from limner.benchmarks.project import quiet
from limner.benchmarks.report import Report
from limner.benchmarks.turns import in_turns
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from feast import FeatureStore

    from limner.workers.online.store import Store

MEDIAN_MS, SLOWEST_MS = {1: 1.0, 100: 5.0}, {1: 5.0}  # over HTTP
WRITTEN_MS = {1: 0.3, 100: 1.5}  # what one read in a hundred may take longer than, in process, while rows are written
AT_ONCE = 8  # connections that ask for a profile each
ROWS, COMMITS = 50, 20  # rows a commit, commits a second
ARROW = "application/vnd.apache.arrow.stream"
Ask = Callable[[Sequence[int]], object]


def run(folder: Path, profiles: int = 10_000, reads: int = 500, rounds: int = 5) -> Report:
    """Fill a store, start both servers over it, and ask them in turns."""
    import limner

    report = Report("serve", {"profiles": profiles, "reads": reads})
    with quiet():
        _project(folder, profiles)
        ours = [sys.executable, "-m", "limner.cli.main", "-C", str(folder), "serve", "--port"]

        def feast(repo: Path) -> list[str]:
            return [str(Path(sys.executable).with_name("feast")), "-c", str(repo), "serve", "--no-access-log"]

        _stock_project(folder / "stock", profiles)
        servers = [[*feast(each), "-w", "1", "-p"] for each in (folder / "feature_repo", folder / "stock")]
        with _server(servers[0]) as theirs, _server(servers[1]) as stock, _server(ours) as own:
            client = limner.Client(f"http://127.0.0.1:{own}", timeout=60)
            asks = _asks(theirs, stock, own, client)
            _check(asks)
            for size in (1, 100):
                _compare(report, {name: ask for name, ask in asks.items() if name.endswith(f" {size}")},
                         size, profiles, reads if size == 1 else max(20, reads // 10), rounds)  # fmt: skip
            _compare_at_once(report, asks, profiles, max(20, reads // 4), rounds)
            near = _asker(
                own, "POST /similar", lambda keys: {"view": VIEW, "feature": "taste", "key": keys[0], "k": 10}
            )
            near([0])
            _measure(report, "similar", {"similar, k = 10": near}, 1, profiles, 30, rounds)
        store = limner.Store(folder)
        with _writer(folder, profiles):
            for size, bound in WRITTEN_MS.items():
                _while_written(report, store, size, bound, profiles, reads, rounds)
    return report


def _project(folder: Path, profiles: int) -> None:
    """A project whose view is applied, and whose values are written."""
    from limner.workers.online.locate import STORE_TYPE, online_place
    from limner.workers.online.opening import open_writer

    _applied(folder / "feature_repo", {"type": STORE_TYPE, "path": "../data/online.db"})
    with open_writer(online_place(folder)) as writer:
        writer.replace(schema(), profile_table(profiles).to_batches(4096), loaded="all", as_of=0)


def _stock_project(folder: Path, profiles: int) -> None:
    """The same values in the store that Feast has of itself."""
    store = _applied(folder, {"type": "sqlite", "path": "online.db"})
    stock_write(store, store.get_feature_view(VIEW), profile_table(profiles))


def _applied(repo: Path, online_store: dict[str, str]) -> "FeatureStore":
    """A Feast repository on disk, as a server reads it."""
    from feast import FeatureStore

    repo.mkdir(parents=True)
    settings = {
        "project": "bench",
        "provider": "local",
        "registry": "registry.db",
        "online_store": online_store,
        "entity_key_serialization_version": 3,
    }
    (repo / "feature_store.yaml").write_text(yaml.safe_dump(settings))
    store = FeatureStore(repo_path=str(repo))
    store.apply(definitions(repo))
    return store


def _asks(theirs: int, stock: int, own: int, client: Any) -> dict[str, Ask]:
    def feast(keys: Sequence[int]) -> dict[str, Any]:
        return {"features": features(), "entities": {KEY: list(keys)}}

    def lean(keys: Sequence[int]) -> dict[str, Any]:
        return {"profile": VIEW, "keys": list(keys)}

    found: dict[str, Ask] = {}
    for size in (1, 100):
        found[f"Feast's request, feast serve, {size}"] = _asker(theirs, "POST /get-online-features", feast)
        found[f"Feast's request, feast serve over its own SQLite store, {size}"] = _asker(
            stock, "POST /get-online-features", feast
        )
        found[f"Feast's request, limner serve, {size}"] = _asker(own, "POST /get-online-features", feast)
    for server, port in (("feast serve", theirs), ("limner serve", own)):
        found[f"{server}, {AT_ONCE} at once"] = _asker(port, "POST /get-online-features", feast, connections=AT_ONCE)
    found["a profile, limner serve, 1"] = _asker(own, "GET")
    found["profiles as JSON, limner serve, 100"] = _asker(own, "POST /profiles", lean)
    found["profiles as Arrow, limner serve, 100"] = _asker(own, "POST /profiles", lean, ARROW)
    found["Client.profile, 1"] = lambda keys: client.profile(VIEW, keys[0])
    found["Client.read, 100"] = lambda keys: client.read(VIEW, keys)
    return found


def _compare(report: Report, asks: dict[str, Ask], size: int, profiles: int, count: int, rounds: int) -> None:
    medians, slowest = _measure(report, str(size), asks, size, profiles, count, rounds)
    stock, ours = f"Feast's request, feast serve, {size}", f"Feast's request, limner serve, {size}"
    report.compare(f"feast serve over limner serve, Feast's request, {size}", medians[stock], medians[ours], target=10)
    other = f"Feast's request, feast serve over its own SQLite store, {size}"
    name = f"feast serve over its own SQLite store over limner serve, Feast's request, {size}"
    report.compare(name, medians[other], medians[ours])
    bound = MEDIAN_MS[size]
    for name in (name for name in asks if name not in (stock, other)):
        report.compare(f"median over {bound:g} ms: {name}", medians[name], [bound] * rounds, target=1, better="less")
        if size in SLOWEST_MS:
            most = SLOWEST_MS[size]
            report.compare(
                f"99th percentile over {most:g} ms: {name}", slowest[name], [most] * rounds, target=1, better="less"
            )


def _compare_at_once(report: Report, asks: dict[str, Ask], profiles: int, count: int, rounds: int) -> None:
    """Servers are asked by many: no core sleeps while its next request is on the way."""
    names = [f"{server}, {AT_ONCE} at once" for server in ("feast serve", "limner serve")]
    medians, _ = _measure(report, "at once", {name: asks[name] for name in names}, AT_ONCE, profiles, count, rounds)
    report.compare(f"feast serve over limner serve, {AT_ONCE} at once", *(medians[name] for name in names))


def _measure(
    report: Report, what: str, asks: dict[str, Ask], size: int, profiles: int, count: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Median and 99th percentile of single requests in ms, one a round, in turns."""
    medians: dict[str, list[float]] = {name: [] for name in asks}
    slowest: dict[str, list[float]] = {name: [] for name in asks}

    def contender(name: str, ask: Ask) -> Callable[[int], float]:
        def turn(number: int) -> float:
            took = _timed(ask, number, size, profiles, count)
            medians[name].append(took[count // 2])
            slowest[name].append(took[int(0.99 * count)])
            return sum(took) / 1e3

        return turn

    in_turns({name: contender(name, ask) for name, ask in asks.items()}, rounds)
    for name in asks:
        medians[name], slowest[name] = medians[name][1:], slowest[name][1:]  # the first round was to warm up
        report.measure(f"median, {name}", "ms", medians[name])
        report.measure(f"99th percentile, {name}", "ms", slowest[name])
    return medians, slowest


def _while_written(
    report: Report, store: "Store", size: int, bound: float, profiles: int, reads: int, rounds: int
) -> None:
    def read(keys: Sequence[int]) -> object:
        return store.read(VIEW, keys)

    count = 4 * reads
    found = [_timed(read, number, size, profiles, count)[int(0.99 * count)] for number in range(rounds + 1)][1:]
    report.measure(f"99th percentile, Store.read while it is written, {size}", "ms", found)
    name = f"99th percentile over {bound} ms: Store.read while {ROWS * COMMITS:,} rows a second are written, {size}"
    report.compare(name, found, [bound] * rounds, target=1, better="less")


def _timed(ask: Ask, number: int, size: int, profiles: int, count: int) -> list[float]:
    """Milliseconds of single requests, sorted; the keys are the same for all contenders of a round."""
    random, took = Random(number), []
    for _ in range(count):
        keys = random.sample(range(profiles), size)
        begun = time.perf_counter()
        ask(keys)
        took.append(1e3 * (time.perf_counter() - begun))
    return sorted(took)


def _asker(
    port: int,
    route: str,
    body: Callable[[Sequence[int]], Any] | None = None,
    accept: str = "application/json",
    connections: int = 1,
) -> Ask:
    """Requests on connections that are kept; gives the answers' bodies. LimnerError if one is no 200.

    With several connections each key is a request of its own, all of which are sent before the first answer is read.
    """
    method, _, path = route.partition(" ")
    head = f"host: x\r\naccept: {accept}\r\ncontent-type: application/json\r\n"
    lines = [_connected(port) for _ in range(connections)]

    def request(keys: Sequence[int]) -> bytes:
        if body is None:
            return f"{method} /profiles/{VIEW}/{keys[0]} HTTP/1.1\r\n{head}\r\n".encode()
        sent = json.dumps(body(keys)).encode()
        return f"{method} {path} HTTP/1.1\r\n{head}content-length: {len(sent)}\r\n\r\n".encode() + sent

    def exchange(told: Sequence[bytes]) -> bytes:
        for line, each in zip(lines, told, strict=True):
            line.sendall(each)
        return b"".join([_answer(line) for line in lines])

    def ask(keys: Sequence[int]) -> bytes:
        nonlocal lines
        told = [request(keys)] if connections == 1 else [request([key]) for key in keys]
        try:
            return exchange(told)
        except ConnectionError:  # it waited for its turn longer than the server keeps a connection
            lines = [_connected(port) for _ in lines]
            return exchange(told)

    return ask


def _connected(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _answer(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        got += _more(connection)
    told, _, first = got.partition(b"\r\n\r\n")
    length = int(told.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    parts, size = [first], len(first)
    while size < length:
        parts.append(_more(connection))
        size += len(parts[-1])
    if not told.startswith(b"HTTP/1.1 200"):
        raise LimnerError(f"a server does not answer: {told.decode()} {b''.join(parts)[:500].decode()}")
    return b"".join(parts)


def _more(connection: socket.socket) -> bytes:
    got = connection.recv(1 << 18)
    if not got:
        raise ConnectionError("a server hung up")
    return got


def _check(asks: dict[str, Ask]) -> None:
    """Both servers answer Feast's request alike, and the others with the same values."""
    keys = list(range(0, 150, 3))
    servers = ("feast serve", "limner serve", "feast serve over its own SQLite store")
    told: list[Any] = [json.loads(asks[f"Feast's request, {name}, 100"](keys)) for name in servers]  # type: ignore[arg-type]
    columns = [dict(zip(each["metadata"]["feature_names"], each["results"], strict=True)) for each in told]
    table: Any = asks["Client.read, 100"](keys)
    # Feast's own store gives the least int64 for a timestamp that is null.
    plain = [name for name in columns[0] if not name.startswith("timestamp")]
    values = [{name: each[name]["values"] for name in plain} for each in columns]
    if (
        columns[0] != columns[1]
        or values[0] != values[2]
        or columns[0]["taste"]["values"] != table.column("taste").to_pylist()
    ):
        raise RuntimeError("the servers do not answer alike")


@contextmanager
def _server(line: Sequence[str]) -> Iterator[int]:
    """A server on a free port, from when it answers. LimnerError if it does not start."""
    port = free_port()
    process = subprocess.Popen([*line, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise LimnerError(f"a server did not start: {' '.join([*line, str(port)])}") from None
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _writer(folder: Path, profiles: int) -> Iterator[None]:
    """Another process that writes rows for the length of the block."""
    code = (
        f"from limner.benchmarks.serve import write; from pathlib import Path; write(Path({str(folder)!r}), {profiles})"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        time.sleep(3)
        yield
        if process.poll() is not None:
            raise RuntimeError("the writer ended")
    finally:
        process.terminate()
        process.wait(30)


def write(folder: Path, profiles: int) -> None:
    """Write rows into the view at a steady rate, until the process is ended."""
    from limner.workers.online.locate import online_place
    from limner.workers.online.opening import open_writer

    table, due, number = profile_table(min(profiles, 5_000), version=1), time.monotonic(), 0
    with open_writer(online_place(folder)) as writer:
        while True:
            begin = ROWS * number % table.num_rows
            generation = writer.served(VIEW)
            assert generation is not None
            writer.update(generation, table.slice(begin, ROWS).to_batches())
            number, due = number + 1, due + 1 / COMMITS
            time.sleep(max(0.0, due - time.monotonic()))

"""Profiles read in process: Feast over our store and over stock SQLite, `limner.Store` beside a bare read of its bytes.

A profile is 20 scalars and a vector of 384; each read asks for other keys, and all contenders for the same ones.

- **get_online_features** is Feast's own method, the same call over each store, to its response (`to_dict` not counted).
- **Store.read** ends in an Arrow table, a column a feature.
- **bare** fetches the same packed bytes by key over an open connection, and decodes nothing: SQLite by one `SELECT`.

The slowest one in a hundred is of reads one after the other, warm, with Python's garbage collector on.
"""

import sqlite3
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from limner.benchmarks.profiles import KEY, VIEW, feast_store, features, profile_table, schema, stock_write
from limner.benchmarks.project import quiet
from limner.benchmarks.report import Report
from limner.benchmarks.turns import in_turns

if TYPE_CHECKING:
    from feast import FeatureStore

    from limner.workers.online.store import Store
    from limner.workers.online.writer import OnlineWriter

OWN = "limner.feature_repo.online_store.LimnerOnlineStore"
SIZES = (1, 10, 100)
SLOWEST_MS = {1: 0.3, 100: 1.5}  # what one read in a hundred may take longer than
Read = Callable[[Sequence[int]], object]


def run(folder: Path, profiles: int = 10_000, reads: int = 2_000, rounds: int = 5) -> Report:
    """Fill the stores with the same profiles and read them, 1, 10 and 100 keys at a time."""
    import limner
    from limner.feature_repo.online_store import online_place
    from limner.workers.online.writer import OnlineWriter

    report = Report("online-read", {"profiles": profiles, "reads": reads})
    table = profile_table(profiles)
    with quiet():
        stock = feast_store(folder / "stock", {"type": "sqlite", "path": "online.db"})
        stock_write(stock, stock.get_feature_view(VIEW), table)
        own = feast_store(folder / "own", {"type": OWN, "path": "online.db"})
        place = online_place(own.config)
        assert isinstance(place, Path)
        writer = OnlineWriter(place)
        writer.replace(schema(), table.to_batches(4096), loaded="all", as_of=0)
        direct = limner.Store(writer.database.path)
        _check(stock, own, direct)
        for size in SIZES:
            _compare_feast(report, {"stock SQLite": stock, "Limner, SQLite": own}, size, profiles, rounds)
            _compare_direct(report, "SQLite", _direct(direct), _bare(writer), size, profiles, rounds)
        for size, bound in SLOWEST_MS.items():
            _slowest(report, "SQLite", _direct(direct), size, bound, profiles, reads, rounds)
    return report


def _compare_feast(report: Report, stores: dict[str, "FeatureStore"], size: int, profiles: int, rounds: int) -> None:
    wanted = features()

    def read(store: "FeatureStore") -> Read:
        return lambda keys: store.get_online_features(wanted, [{KEY: key} for key in keys])

    count = 20 if size < 100 else 10
    seconds = in_turns({name: _turn(read(store), size, profiles, count) for name, store in stores.items()}, rounds)
    for name, values in seconds.items():
        report.measure(f"get_online_features, {name}, {size}", "ms", [1e3 * value for value in values])
    over, under = seconds["stock SQLite"], seconds["Limner, SQLite"]
    report.compare(
        f"stock SQLite over Limner, SQLite, through Feast, {size}", over, under, target=3 if size == 100 else None
    )


def _compare_direct(report: Report, place: str, own: Read, bare: Read, size: int, profiles: int, rounds: int) -> None:
    count = 500 if size < 100 else 100
    contenders = {"Store.read": _turn(own, size, profiles, count), "bare": _turn(bare, size, profiles, count)}
    seconds = in_turns(contenders, rounds)
    for name, values in seconds.items():
        report.measure(f"{name}, {place}, {size}", "ms", [1e3 * value for value in values])
    over, under = seconds["Store.read"], seconds["bare"]
    report.compare(f"Store.read over a bare read, {place}, {size}", over, under, target=2, better="less")


def _turn(read: Read, size: int, profiles: int, count: int) -> Callable[[int], float]:
    """A contender of `count` reads of `size` keys; gives the seconds of one."""

    def turn(number: int) -> float:
        asked = _keys(number, size, profiles, count)
        begun = time.perf_counter()
        for keys in asked:
            read(keys)
        return (time.perf_counter() - begun) / count

    return turn


def _slowest(
    report: Report, place: str, read: Read, size: int, bound: float, profiles: int, reads: int, rounds: int
) -> None:
    """The 99th percentile of single reads, a round each, in ms, and over its bound."""
    found = []
    for number in range(rounds + 1):
        took = []
        for keys in _keys(number, size, profiles, reads):
            begun = time.perf_counter()
            read(keys)
            took.append(time.perf_counter() - begun)
        found.append(1e3 * sorted(took)[int(0.99 * reads)])
    report.measure(f"99th percentile, Store.read, {place}, {size}", "ms", found[1:])
    report.compare(
        f"99th percentile over {bound} ms, {place}, {size}", found[1:], [bound] * rounds, target=1, better="less"
    )


def _keys(number: int, size: int, profiles: int, count: int) -> list[list[int]]:
    """The keys of the reads of a round: other ones each, the same for all contenders."""
    from random import Random

    random = Random(number)
    return [random.sample(range(profiles), size) for _ in range(count)]


def _direct(store: "Store") -> Read:
    return lambda keys: store.read(VIEW, keys)


def _bare(writer: "OnlineWriter") -> Read:
    """One SELECT by key."""
    served = writer.served(VIEW)
    assert served is not None
    connection = sqlite3.connect(writer.database.path)
    connection.execute("PRAGMA mmap_size=268435456")
    encoded = struct.Struct(">q").pack

    def read(keys: Sequence[int]) -> object:
        marks = ",".join("?" * len(keys))
        query = f"SELECT key, event_ts, value FROM {served.table} WHERE key IN ({marks})"
        return connection.execute(query, [encoded(key) for key in keys]).fetchall()

    return read


def _check(stock: "FeatureStore", own: "FeatureStore", direct: "Store") -> None:
    """All doors give the same values."""
    keys = list(range(0, 150, 3))
    answers = [store.get_online_features(features(), [{KEY: key} for key in keys]).to_dict() for store in (stock, own)]
    table = direct.read(VIEW, keys).drop_columns("event_timestamp").to_pydict()
    if answers[0] != answers[1] or table != answers[0]:
        raise RuntimeError("the stores do not answer alike")

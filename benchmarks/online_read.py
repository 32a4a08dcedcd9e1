"""Profiles read in process: Feast over our stores and its stock ones, `limner.Store` beside a bare read of its bytes.

A profile is 20 scalars and a vector of 384; each read asks for other keys, and all contenders for the same ones.

- **get_online_features** is Feast's own method, the same call over each store, to its response (`to_dict` not counted).
- **Store.read** ends in an Arrow table, a column a feature.
- **Store.arrays** ends in what makes a NumPy array of a feature when that is taken: none is, or the vector.
- **bare** fetches the same packed bytes by key over an open connection, and decodes nothing: one `SELECT` from SQLite,
  one `MGET` from Valkey, where the bytes are laid down a second time under plain keys.
- **bare and a ready table** then has Arrow read a message that is ready, of a table like the answer: no answer that is
  an Arrow table can take less.

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
from limner.benchmarks.valkey import valkey
from limner.workers.online.locate import REDIS_TYPE, STORE_TYPE, RedisPlace

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

    from limner.workers.online.store import Store

SIZES = (1, 10, 100)
SLOWEST_MS = {1: 0.3, 100: 1.5}  # what one read in a hundred may take longer than
KEY_BYTES = struct.Struct(">q").pack
Read = Callable[[Sequence[int]], object]


def run(folder: Path, profiles: int = 10_000, reads: int = 2_000, rounds: int = 5) -> Report:
    """Fill the stores with the same profiles and read them, 1, 10 and 100 keys at a time."""
    import limner

    report = Report("online-read", {"profiles": profiles, "reads": reads})
    table = profile_table(profiles)
    with quiet(), valkey() as port:
        stores = _stores(folder, port, table)
        (folder / "ours" / "feature_store.yaml").write_text(
            f"{{project: bench, online_store: {{type: {REDIS_TYPE}, url: 'redis://127.0.0.1:{port}/1'}}}}"
        )
        direct = {"SQLite": limner.Store(folder / "own" / "online.db"), "Valkey": limner.Store(folder / "ours")}
        bare = {
            "SQLite": _bare_sqlite(folder / "own" / "online.db"),
            "Valkey": _bare_valkey(RedisPlace(f"redis://127.0.0.1:{port}/2", ""), table),
        }
        _check(stores, direct, bare)
        for size in SIZES:
            _compare_feast(report, stores, size, profiles, rounds)
            for place, store in direct.items():
                _compare_direct(report, place, store, bare[place], size, profiles, rounds)
        for size, bound in SLOWEST_MS.items():
            for place, store in direct.items():
                _slowest(report, place, _direct(store), size, bound, profiles, reads, rounds)
    return report


def _stores(folder: Path, port: int, table: "pa.Table") -> dict[str, "FeatureStore"]:
    """Feast over each store, all with the same profiles."""
    from limner.feature_repo.online_store import online_place
    from limner.workers.online.opening import open_writer

    settings = {
        "stock SQLite": ("stock", {"type": "sqlite", "path": "online.db"}),
        "Limner, SQLite": ("own", {"type": STORE_TYPE, "path": "online.db"}),
        "stock Redis store, Valkey": ("redis", {"type": "redis", "connection_string": f"127.0.0.1:{port}"}),
        "Limner, Valkey": ("ours", {"type": REDIS_TYPE, "url": f"redis://127.0.0.1:{port}/1"}),
    }
    stores = {name: feast_store(folder / place, online) for name, (place, online) in settings.items()}
    for name, store in stores.items():
        if name.startswith("stock"):
            stock_write(store, store.get_feature_view(VIEW), table)
        else:
            with open_writer(online_place(store.config)) as writer:
                writer.replace(schema(), table.to_batches(4096), loaded="all", as_of=0)
    return stores


def _compare_feast(report: Report, stores: dict[str, "FeatureStore"], size: int, profiles: int, rounds: int) -> None:
    wanted = features()

    def read(store: "FeatureStore") -> Read:
        return lambda keys: store.get_online_features(wanted, [{KEY: key} for key in keys])

    count = 40 if size < 100 else 15
    seconds = in_turns({name: _turn(read(store), size, profiles, count) for name, store in stores.items()}, rounds)
    for name, values in seconds.items():
        report.measure(f"get_online_features, {name}, {size}", "ms", [1e3 * value for value in values])
    target = 3 if size == 100 else None
    for name, over in (("SQLite", "stock SQLite"), ("Valkey", "stock Redis store, Valkey")):
        ratio = seconds[over], seconds[f"Limner, {name}"]
        report.compare(
            f"stock over Limner, {name}, through Feast, {size}", *ratio, target=target if name == "SQLite" else None
        )


def _compare_direct(
    report: Report, place: str, store: "Store", bare: Read, size: int, profiles: int, rounds: int
) -> None:
    count = 500 if size < 100 else 100
    reads: dict[str, Read] = {
        "Store.read": _direct(store),
        "Store.arrays": lambda keys: store.arrays(VIEW, keys),
        "Store.arrays and the vector": lambda keys: store.arrays(VIEW, keys)["taste"],
        "bare and a ready table": _with_table(bare, store.read(VIEW, range(size))),
        "bare": bare,
    }
    seconds = in_turns({name: _turn(read, size, profiles, count) for name, read in reads.items()}, rounds)
    for name, values in seconds.items():
        report.measure(f"{name}, {place}, {size}", "ms", [1e3 * value for value in values])
    under = seconds.pop("bare")
    for name, over in seconds.items():
        target = 2 if name in {"Store.read", "Store.arrays"} else None
        report.compare(f"{name} over bare, {place}, {size}", over, under, target=target, better="less")


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


def _with_table(bare: Read, table: "pa.Table") -> Read:
    """A bare read, then what Arrow itself needs to make this table of bytes that are ready."""
    import pyarrow as pa

    (batch,) = table.to_batches()
    schema, message = batch.schema, batch.serialize()

    def read(keys: Sequence[int]) -> object:
        return bare(keys), pa.Table.from_batches([pa.ipc.read_record_batch(message, schema)])

    return read


def _bare_sqlite(path: Path) -> Read:
    """One SELECT by key."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA mmap_size=268435456")
    (generation,) = connection.execute("SELECT generation FROM served").fetchone()

    def read(keys: Sequence[int]) -> object:
        marks = ",".join("?" * len(keys))
        query = f"SELECT key, event_ts, value FROM values_{generation} WHERE key IN ({marks})"
        return {key: value for key, _, value in connection.execute(query, [KEY_BYTES(key) for key in keys])}

    return read


def _bare_valkey(place: RedisPlace, table: "pa.Table") -> Read:
    """One MGET of the same bytes under plain keys."""
    from limner.workers.online.redis_state import connect

    client, view = connect(place), schema()
    for batch in table.to_batches(1000):
        client.mset(dict(zip(view.encode_table(batch), view.layout.pack(batch), strict=True)))

    def read(keys: Sequence[int]) -> object:
        encoded = [KEY_BYTES(key) for key in keys]
        return dict(zip(encoded, client.mget(encoded), strict=True))

    return read


def _check(stores: dict[str, "FeatureStore"], direct: dict[str, "Store"], bare: dict[str, Read]) -> None:
    """All doors give the same values."""
    keys = list(range(0, 150, 3))
    rows = [{KEY: key} for key in keys]
    answers = [store.get_online_features(features(), rows).to_dict() for store in stores.values()]
    tables = [store.read(VIEW, keys) for store in direct.values()]
    answers += [table.drop_columns("event_timestamp").to_pydict() for table in tables]
    vectors = [store.arrays(VIEW, keys)["taste"].tolist() for store in direct.values()]
    alike = all(answer == answers[0] for answer in answers) and all(each == answers[0]["taste"] for each in vectors)
    if not alike or bare["SQLite"](keys) != bare["Valkey"](keys):
        raise RuntimeError("the stores do not answer alike")

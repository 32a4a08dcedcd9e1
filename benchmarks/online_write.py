"""Profiles a second into the online store: Limner's packed rows beside Feast's stock path, into SQLite and Valkey.

All contenders are given the same Arrow table, whose entities the store already holds, each round a newer version of it:

- **Feast** is what its local engine does with what it materializes: the table to protobuf, `online_write_batch` of the
  stock store with its defaults. Its Redis store is the one it has for Valkey.
- **Limner** is what an incremental run does once it has computed the rows: pack and write them, all visible at once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from limner.benchmarks.profiles import KEY, VIEW, feast_store, features, profile_table, schema, stock_write
from limner.benchmarks.project import quiet
from limner.benchmarks.report import Report
from limner.benchmarks.turns import in_turns
from limner.benchmarks.valkey import valkey
from limner.workers.online.locate import REDIS_TYPE, STORE_TYPE

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

BATCH = 4096  # rows: what a run writes at a time
Write = Callable[["pa.Table"], None]


def run(folder: Path, profiles: int = 10_000, rounds: int = 5) -> Report:
    """Write as many profiles a round with each contender, then read some back from each: they must be equal."""
    report = Report("online-write", {"profiles": profiles})
    versions = [profile_table(profiles, number) for number in range(rounds + 2)]  # one to fill, one round to warm up
    with quiet(), valkey() as port:
        stores = {
            "Feast, SQLite": feast_store(folder / "stock", {"type": "sqlite", "path": "online.db"}),
            "Limner, SQLite": feast_store(folder / "own", {"type": STORE_TYPE, "path": "online.db"}),
            "Feast, Valkey": feast_store(folder / "redis", {"type": "redis", "connection_string": f"127.0.0.1:{port}"}),
            "Limner, Valkey": feast_store(folder / "ours", {"type": REDIS_TYPE, "url": f"redis://127.0.0.1:{port}/1"}),
        }
        writes = {name: (_own if name.startswith("Limner") else _stock)(store) for name, store in stores.items()}
        for write in writes.values():
            write(versions[0])
        contenders = {name: lambda number, write=write: write(versions[number + 1]) for name, write in writes.items()}
        seconds = in_turns(contenders, rounds)
        _check(stores, profiles)
    for name, values in seconds.items():
        report.measure(name, "profiles/s", [profiles / value for value in values])
    for place in ("SQLite", "Valkey"):
        if f"Limner, {place}" in seconds:
            ratio = seconds[f"Feast, {place}"], seconds[f"Limner, {place}"]
            report.compare(f"Limner over Feast, {place}", *ratio, target=10)
    return report


def _stock(store: "FeatureStore") -> Write:
    view = store.get_feature_view(VIEW)
    return lambda rows: stock_write(store, view, rows)


def _own(store: "FeatureStore") -> Write:
    from limner.feature_repo.online_store import online_place
    from limner.workers.online.opening import open_writer

    writer = open_writer(online_place(store.config))

    def write(rows: "pa.Table") -> None:
        served, batches = writer.served(VIEW), rows.to_batches(BATCH)
        if served is None:
            writer.replace(schema(), batches, loaded="first", as_of=0)
        else:
            writer.update(served, batches, loaded="next", as_of=0)

    return write


def _check(stores: dict[str, "FeatureStore"], count: int) -> None:
    rows = [{KEY: key} for key in range(0, count, max(1, count // 50))]
    answers = {name: store.get_online_features(features(), rows).to_dict() for name, store in stores.items()}
    first = answers["Feast, SQLite"]
    for name, answer in answers.items():
        if answer != first:
            raise RuntimeError(f"{name} answers otherwise than Feast's SQLite store")

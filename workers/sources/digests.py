"""The texts of one preparation, on record once each, shard by shard."""

from pathlib import Path

from limner.workers.sources.request import PrepareRequest
from limner.workers.sources.texts import register_texts
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import literal, quoted


class Texts:
    """The digests of rows' texts, and the table of distinct texts they stand for."""

    def __init__(self, request: PrepareRequest, bench: Workbench) -> None:
        self._request = request
        self._bench = bench
        self._functions: dict[str, tuple[str, str]] = {}
        self._tables: dict[str, str] = {}
        for number, (name, (_, prefix)) in enumerate(request.texts.items()):
            self._functions[name] = (bench.name(), bench.name())
            self._tables[name] = f"__texts_{number}"
            register_texts(bench.database, prefix, *self._functions[name])
            bench.run(f"CREATE TABLE {self._tables[name]} (digest BLOB, text VARCHAR)")

    def add(self, output: str) -> str:
        """Put the texts of one shard's `output` on record; returns a table of the rows with their digests."""
        digests = [
            f"{functions[0]}({quoted('__text.' + name)}) AS {quoted(name)}"
            for name, functions in self._functions.items()
        ]
        self._bench.run(f"CREATE OR REPLACE TABLE __shard_rows AS SELECT *, {', '.join(digests)} FROM ({output})")
        for name, (_, finish) in self._functions.items():
            some = f"{quoted(name)} AS digest, any_value({quoted('__text.' + name)}) AS text"
            distinct = f"SELECT {some} FROM __shard_rows WHERE {quoted(name)} IS NOT NULL GROUP BY digest"
            self._bench.run(f"INSERT INTO {self._tables[name]} SELECT digest, {finish}(text) FROM ({distinct})")
        return "__shard_rows"

    def write(self) -> dict[str, Path]:
        """One file of distinct (digest, text) for each digest column."""
        files = {}
        for number, (name, table) in enumerate(self._tables.items()):
            files[name] = self._request.stage / f"texts-{number:04d}.parquet"
            self._bench.run(
                f"COPY (SELECT digest, any_value(text) AS text FROM {table} GROUP BY digest) "
                f"TO {literal(str(files[name]))} (FORMAT parquet, COMPRESSION lz4)"
            )
        return files

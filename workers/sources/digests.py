"""What is made of rows' texts, once for each different text of a shard: digests, measures, and the texts themselves."""

from collections.abc import Callable
from pathlib import Path

from limner.workers.sources.measures import measured
from limner.workers.sources.request import PrepareRequest, RowMeasure, RowText
from limner.workers.sources.texts import DIGEST, UNFINISHED, counts, finished, register
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import literal, quoted


class Texts:
    """Columns made of rows' texts, and a table of distinct texts for each column of digests."""

    def __init__(self, request: PrepareRequest, bench: Workbench) -> None:
        self._request = request
        self._bench = bench
        self._facts = facts_of(request, bench)
        self._tables: dict[str, str] = {}
        for name in request.texts:
            self._tables[name] = f"__texts_{len(self._tables)}"
            bench.run(f"CREATE TABLE {self._tables[name]} (digest BLOB, text VARCHAR)")

    def add(self, output: str) -> str:
        """Make the columns of one shard's `output`, and put its texts on record; returns a table of the rows."""
        self._bench.run(f"CREATE OR REPLACE TABLE __shard_texts AS {output}")
        made, joins = [], []
        for number, (name, fact) in enumerate(self._facts.items()):
            text, facts = quoted("__text." + name), f"__facts_{number}"
            distinct = f"SELECT DISTINCT {text} AS text FROM __shard_texts"
            looked_at = f"SELECT text, {fact('text')} AS fact FROM ({distinct})"
            if name in self._tables:
                looked_at = f"SELECT text, fact AS finished, {DIGEST.format('fact')} AS fact FROM ({looked_at})"
            self._bench.run(f"CREATE OR REPLACE TABLE {facts} AS {looked_at}")
            made.append(f"{facts}.fact AS {quoted(name)}")
            joins.append(f"LEFT JOIN {facts} ON r.{text} = {facts}.text")
            if name in self._tables:
                some = f"SELECT DISTINCT fact, finished FROM {facts} WHERE fact IS NOT NULL"
                self._bench.run(f"INSERT INTO {self._tables[name]} {some}")
        rows = f"SELECT r.*, {', '.join(made)} FROM __shard_texts r {' '.join(joins)}"
        self._bench.run(f"CREATE OR REPLACE TABLE __shard_rows AS {rows}")
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


def facts_of(request: PrepareRequest, bench: Workbench) -> dict[str, Callable[[str], str]]:
    """By column that is made of a text: SQL, over a column of the text, of the finished text or of the measure."""
    facts = {name: _finished(text, bench) for name, text in request.texts.items()}
    for name, measure in request.measures.items():
        facts[name] = _call(bench, _measure_of(measure), "BIGINT")
    return facts


def _finished(text: RowText, bench: Workbench) -> Callable[[str], str]:
    """What an encoder is given of `text`. Python sees only texts that there is something to do about."""
    call = _call(bench, _finish_of(text), "VARCHAR")
    if text.languages:
        return call
    prefix = f"{literal(text.prefix)} || " if text.prefix else ""
    unfinished = literal(UNFINISHED)
    return lambda of: f"CASE WHEN regexp_matches({of}, {unfinished}) THEN {call(of)} ELSE {prefix}{of} END"


def _call(bench: Workbench, function: Callable[[str], object], gives: str) -> Callable[[str], str]:
    name = bench.name()
    register(bench.database, name, function, gives)
    return lambda of: f"{name}({of})"


def _finish_of(text: RowText) -> Callable[[str], str | None]:
    if not text.languages:
        return lambda written: finished(written, text.prefix)
    return lambda written: finished(written, text.prefix) if counts(written, text.languages) else None


def _measure_of(each: RowMeasure) -> Callable[[str], int | None]:
    languages = each.text.languages
    return lambda written: measured(each.measure, each.tokenizer, written) if counts(written, languages) else None

"""The windows stage by itself: rows cleaned by the oracle go in, a history comes out."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limner.language.features import Embed, TextStatistic
from limner.language.models import LogicalType
from limner.language.outputs import Output, computed, hidden_names
from limner.language.repo import Specs
from limner.workers.derive.fit import Fit
from limner.workers.derive.learn import Population, make, needed, population
from limner.workers.text.models import since_fits
from limner.workers.text.terms import terms_model
from limner.workers.windows.carried import State
from limner.workers.windows.compute import History, Task, compute
from limner.workers.windows.derived import breaks
from limner.workers.windows.ranges import stretches
from limner.workers.windows.timeline import FOREVER, tick_at_or_before
from tests.oracle.cleaning import NEVER, Row
from tests.oracle.encoders import DIM
from tests.oracle.oracle import Oracle, counts, prefix_of, render, render_raw
from tests.oracle.texts import collapsed, measured
from tests.oracle.worlds import ARROW


class Direct:
    """One view over the rows of an oracle; `columns` are the cleaned columns' logical types, by source."""

    def __init__(
        self, specs: Specs, oracle: Oracle, keys: list[str], columns: dict[str, dict[str, LogicalType]]
    ) -> None:
        self.keys = keys
        self.grid = oracle.view.grid
        self.vector_of = oracle.vector_of
        made = computed(oracle.view, columns, dict.fromkeys(specs.encoders, DIM), oracle.zone)
        terms = {name: terms_model(specs, name, Path()) for name, e in specs.encoders.items() if e.terms is not None}
        every = since_fits(made, terms)
        hidden = set(hidden_names(oracle.view))
        self.outputs = tuple(output for output in every if output.name not in hidden)
        self.hidden = tuple(output for output in every if output.name in hidden)
        self.staged: dict[str, str] = {}
        self.texts: dict[bytes, str] = {}
        self.tables = {name: self._rows(specs, oracle, name, columns[name]) for name in oracle.view.reads}

    def run(self, start: int, end: int) -> History:
        """The history over (start, end]."""
        fits = make((*self.outputs, *self.hidden), end, {}, self._learn)
        return self._compute(self.outputs, start, end, self.hidden, fits)

    def go_on(self, start: int, end: int, carried: State | None) -> History:
        """The history over (start, end] of a run that hands on its state, and starts with that of another where it can.

        It is given no rows but those that become known, enter or leave a window.
        """
        every = (*self.outputs, *self.hidden)
        fits = make(every, end, {}, self._learn)
        base = tick_at_or_before(self.grid, start)
        if any(base < each <= end for each in breaks(self.grid, every)):
            carried = None
        task = Task(tuple(self.keys), self.outputs, self.staged, self.grid, start, end, carried is None, self.hidden)
        task = replace(task, fits=fits, keep=True)
        tables = self.tables if carried is None else {n: self._moving(n, base, end) for n in self.tables}
        found = compute(tables, task, self._vectors, carried=carried)
        assert found.state is not None
        return found if carried is None else replace(found, state=carried.with_changes(found.state))

    def _moving(self, source: str, base: int, end: int) -> pa.Table:
        plain = [o for o in (*self.outputs, *self.hidden) if o.source == source]
        table = self.tables[source]
        at, known = (table[name].to_numpy() for name in ("__ts", "__known"))
        needed = (known > base) & (known <= end)
        for low, high in stretches({w for o in plain for w in o.feature.looks(o.window)}, base, end):
            needed |= (at >= low) & (at < high)
        if "__until" in table.column_names:
            until = table["__until"].fill_null(int(FOREVER)).to_numpy()
            needed |= (until > base) & (until <= end)
        return table.filter(pa.array(needed))

    def _compute(
        self, outputs: Sequence[Output], start: int, end: int, hidden: tuple[Output, ...], fits: dict[str, Fit]
    ) -> History:
        keys = tuple(self.keys)
        task = Task(keys, tuple(outputs), self.staged, self.grid, start, end, base=True, hidden=hidden, fits=fits)
        return compute(self.tables, task, self._vectors)

    def _learn(self, instant: int, wanted: Sequence[Output], fits: dict[str, Fit]) -> dict[str, list[Population]]:
        """The populations in two parts, as two shards would give them."""
        every = (*self.outputs, *self.hidden)
        inputs = {each.name for output in wanted for each in needed(every, output)}
        rows = self._compute([each for each in every if each.name in inputs], instant, instant, (), fits).base
        half = len(rows) // 2
        return {
            output.name: [population(part, self.keys, output) for part in (rows.slice(half), rows.slice(0, half))]
            for output in wanted
        }

    def _rows(self, specs: Specs, oracle: Oracle, source: str, columns: dict[str, LogicalType]) -> pa.Table:
        keys = sorted(oracle.entities)
        events = [event for key in keys for event in oracle.entities[key] if event.source == source]
        columns = {**specs.entities[oracle.view.entity].join_keys, **columns}
        data: dict[str, Any] = {
            name: pa.array([event.row[name] for event in events], ARROW[kind]) for name, kind in columns.items()
        }
        for output in (*self.outputs, *self.hidden):
            if isinstance(output.feature, Embed) and output.source == source:
                column = self.staged[output.name] = f"__digest_{output.name}"
                prefix, languages = prefix_of(output.feature, specs.encoders), output.feature.languages
                texts = [render(output.feature.embed.parts, event.row) for event in events]
                digests = [self._digest(prefix + text) if counts(text, languages) else None for text in texts]
                data[column] = pa.array(digests, pa.binary(16))
            if isinstance(output.feature, TextStatistic) and output.source == source:
                column = self.staged[output.name] = f"__measure_{output.name}"
                data[column] = pa.array([_measured(output.feature, event.row) for event in events], pa.int64())
        data["__ts"] = pa.array([event.at for event in events], pa.int64())
        data["__known"] = pa.array([event.known for event in events], pa.int64())
        until = [None if event.until == NEVER else event.until for event in events]
        if any(until):  # the column may be missing
            data["__until"] = pa.array(until, pa.int64())
        return pa.table(data)

    def _digest(self, text: str) -> bytes:
        digest = hashlib.sha256(text.encode()).digest()[:16]
        self.texts[digest] = text
        return digest

    def _vectors(self, encoder: str, digests: pa.Array) -> tuple[Any, Any]:
        assert self.vector_of is not None
        vectors = [self.vector_of(encoder, self.texts[digest.as_py()]) for digest in digests]
        return np.array(vectors, np.float32).reshape(-1, DIM), np.ones(len(digests), bool)


def _measured(feature: TextStatistic, row: Row) -> int | None:
    written = render_raw(feature.text.parts, row)
    return measured(feature.measure, written) if counts(collapsed(written), feature.languages) else None

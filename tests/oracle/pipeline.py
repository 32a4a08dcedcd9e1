"""The whole way from files to a history, in this process: real sources, texts, windows and manifest."""

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import yaml

from limner.language.columns import check, cleaned
from limner.language.features import Embed
from limner.language.fingerprint import fingerprint
from limner.language.outputs import computed, local_zone, output_names
from limner.language.repo import Specs, load_texts
from limner.workers.context import RunContext
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.history.manifest import History, Part
from limner.workers.ledger import Ledger
from limner.workers.members import Member
from limner.workers.plan import ViewPlan
from limner.workers.report import silent
from limner.workers.run import RunResult, materialize
from limner.workers.sources.describe import describe
from limner.workers.tasks import InProcess
from limner.workers.text.models import AnyEncoder, since_fits
from limner.workers.text.terms import TermsEncode, TermsModel, terms_model
from tests.oracle.cleaning import known_from
from tests.oracle.encoders import DIM, vector_of
from tests.oracle.generate import Case
from tests.oracle.oracle import Oracle, counts, prefix_of, render
from tests.oracle.worlds import arrow_of, oracle_of, settle

EDITS = ["come", "come", "go", "turn", "change"]


class Project:
    """A case laid out as a project in `root`: raw files and the specs as a YAML file would give them."""

    def __init__(self, case: Case, root: Path) -> None:
        self.case, self.root = case, root
        self.there: dict[str, list[int]] = {}  # by source of events the numbers of the rows in its files, once edited
        settle(case)
        self.specs = load_texts({"specs.yaml": yaml.safe_dump_all(case.docs, allow_unicode=True)})
        for name, table in case.tables.items():
            path = str(self.specs.sources[name].path).replace("*", "all")
            store(arrow_of(table), root / path)
        self.raw = {name: describe(source, root) for name, source in self.specs.sources.items()}
        check(self.specs, self.raw)

    def keep_events(self, known_by: int, keys: Sequence[str]) -> None:
        """Write the files of events anew, with the rows known by then and those that never are."""
        for name in self.case.sources:
            known = [known_from(row, self.specs.sources[name], keys) for row in self.case.tables[name].rows]
            there = [number for number, at in enumerate(known) if at is None or at <= known_by]
            self._write(name, "all", there)

    def scatter_events(self) -> None:
        """Write the events of each source as three files, back to front."""
        for name in self.case.sources:
            count = len(self.case.tables[name].rows)
            next((self.root / "data" / name).glob("all.*")).unlink()
            for part in range(3):
                self._write(name, str(part), list(range(count))[part::3][::-1])

    def edit_events(self, edits: Sequence[tuple[str, int]]) -> None:
        """Change the files of events as somebody might who thinks that nobody looks: see `EDITS`."""
        for name in self.case.sources:
            table = self.case.tables[name]
            numbers = self.there.setdefault(name, list(range(len(table.rows))))
            files = sorted(path for path in (self.root / "data" / name).glob("*.*"))
            for what, number in edits:
                if what == "come":  # rows that were missing, or come again, in a file of their own
                    more = [(number + beside) % len(table.rows) for beside in (0, 5, 11)]
                    numbers += more
                    self._write(name, f"more{len(files)}", more)
                    files.append(files[0])
            if any(what != "come" for what, _ in edits):
                for what, number in edits:
                    if what == "go" and len(numbers) > 1:
                        del numbers[number % len(numbers)]
                    if what == "turn":
                        numbers.reverse()
                    if what == "change":
                        column = sorted(table.types)[number % len(table.types)]
                        place = numbers[number % len(numbers)]
                        other = table.rows[numbers[(number + 1) % len(numbers)]][column]
                        table.rows.append({**table.rows[place], column: other})
                        numbers[number % len(numbers)] = len(table.rows) - 1
                for path in (self.root / "data" / name).glob("*.*"):
                    path.unlink()
                self._write(name, "all", numbers)

    def _write(self, source: str, file: str, numbers: Sequence[int]) -> None:
        table = arrow_of(self.case.tables[source]).take(pa.array(numbers, pa.int64()))
        store(table, self.root / str(self.specs.sources[source].path).replace("*", file))

    def plan(self, view: str, data: str = "data") -> ViewPlan:
        """The view's plan; `data` is the folder of its history below the root."""
        models = {name: _model(self.specs, name, self.root / data) for name in self.specs.encoders}
        spec = self.specs.views[view]
        columns = {each: cleaned(self.specs, each, self.raw) for each in spec.reads}
        plans = {name: self.plan(name, data) for name in spec.views}
        taken = {name: plan.outputs for name, plan in plans.items()}
        every = computed(spec, columns, dict.fromkeys(models, DIM), local_zone(self.specs, spec), taken)
        every = since_fits(every, models)
        written = set(output_names(spec))
        return ViewPlan(
            specs=self.specs,
            name=view,
            raw=self.raw,
            outputs=tuple(output for output in every if output.name in written),
            hidden=tuple(output for output in every if output.name not in written),
            encoders=models,
            fingerprint=fingerprint(self.specs, view, {name: m.fingerprint for name, m in models.items()}),
            root=self.root,
            data=self.root / data,
            members=tuple(Member(n, plan.fingerprint, plan.folder / plan.fingerprint) for n, plan in plans.items()),
        )

    def oracle(self, view: str) -> Oracle:
        """The oracle of one view."""
        return oracle_of(self.case, self.specs, view)


def store(table: pa.Table, file: Path) -> None:
    """Write Parquet, or JSON Lines whose columns are texts: plain numbers and booleans go without quotes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        pq.write_table(table, file)
        return
    lines = []
    for number, row in enumerate(table.to_pylist()):
        there = {name: text for name, text in row.items() if text is not None or number % 2}
        pairs = (f"{json.dumps(name)}: {json_value(text, number)}" for name, text in there.items())
        lines.append(f"{{{', '.join(pairs)}}}\n")
    file.write_text("".join(lines))


def json_value(text: str | None, number: int) -> str:
    """A JSON value that is read as `text`."""
    bare = text is None or text in ("true", "false") or re.fullmatch(r"-?(0|[1-9]\d*)(\.5)?", text)
    return json.dumps(text) if text is None or number % 3 == 0 or not bare else text


def run(plan: ViewPlan, start: int, end: int, shards: int = 1) -> RunResult:
    """Materialize in this process."""
    context = RunContext(
        workers=InProcess(),
        encode_with=lambda model: TermsEncode(model) if isinstance(model, TermsModel) else HashEncode(),
        reporter=silent,
        ledger=cast("Ledger", Memory()),
        run_id=uuid.uuid4().hex,
        shards=shards,
    )
    return materialize(plan, start, end, context)


def visible(history: History, keys: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The base rows and the changes a reader may see, sorted by join keys, then event timestamp."""
    order = [(name, "ascending") for name in (*keys, "event_timestamp")]
    parts = history.parts()
    tables = []
    for wanted in (True, False):
        found = [_read(part) for part in parts if (part.after is None) is wanted]
        tables.append(pa.concat_tables(found).sort_by(order).combine_chunks() if found else None)
    base, changes = tables
    some = base if base is not None else changes
    empty = pa.table({}) if some is None else some.slice(0, 0)
    return base if base is not None else empty, changes if changes is not None else empty


def _read(part: Part) -> pa.Table:
    at = ds.field("event_timestamp")
    low = None if part.after is None else at > pa.scalar(part.after, pa.timestamp("us", "UTC"))
    high = at <= pa.scalar(part.until, pa.timestamp("us", "UTC"))
    return pq.read_table(part.path, filters=high if low is None else low & high)


def _model(specs: Specs, name: str, data: Path) -> AnyEncoder:
    encoder = specs.encoders[name]
    if encoder.model is None:
        return terms_model(specs, name, data)
    return EncoderModel(
        name=name,
        folder=Path("none"),
        pooling=encoder.pooling,
        max_tokens=encoder.max_tokens,
        normalize=encoder.normalize,
        prefix=encoder.prefix,
        precision=encoder.precision,
        dim=DIM,
        fingerprint="f" * 64,
    )


def texts_of(specs: Specs, oracle: Oracle) -> Iterator[str]:
    """Every text that may have to be encoded, prefix included."""
    for feature in oracle.view.features.values():
        if isinstance(feature, Embed) and specs.encoders[feature.encoder].model is not None:
            for event in oracle.cleaned[oracle.view.source_of(feature)].events:
                text = render(feature.embed.parts, event.row)
                if counts(text, feature.languages):
                    yield prefix_of(feature, specs.encoders) + text


def digest(text: str) -> bytes:
    """What a text is known by."""
    return hashlib.sha256(text.encode()).digest()[:16]


@dataclass
class Encoded:
    """What HashEncode gives back."""

    vectors: npt.NDArray[np.float32]
    failures: Mapping[int, str] = field(default_factory=dict)


class HashEncode:
    """The oracle's encoder, for the engine."""

    def check(self) -> None:
        """Always there."""

    def __call__(self, texts: Sequence[str]) -> Encoded:
        """One vector a text."""
        return Encoded(np.array([vector_of(text) for text in texts], np.float32).reshape(-1, DIM))


class Memory:
    """A ledger that remembers nothing: every task is done anew."""

    def task_done(self, *_: Any) -> bool:
        """Never."""
        return False

    def record_task(self, *_: Any) -> None:
        """Forgotten."""

    def quarantine(self, *_: Any) -> None:
        """Forgotten."""

"""A small project whose events come one by one, with a clock of its own, and what brute force says about it."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from limner.language.repo import load_texts
from limner.workers.context import RunContext
from limner.workers.differences import Differences
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.history.manifest import History
from limner.workers.ledger import Ledger
from limner.workers.members import Member
from limner.workers.online.database import Writer
from limner.workers.online.healing import heal
from limner.workers.online.loading import load, schema_of, state_of
from limner.workers.online.opening import open_database, open_writer
from limner.workers.plan import ViewPlan
from limner.workers.report import silent
from limner.workers.run import materialize
from limner.workers.sources.describe import describe
from limner.workers.stream import choose
from limner.workers.stream.choose import Streamed
from limner.workers.stream.events import Raw
from limner.workers.stream.state import FILE, State
from limner.workers.stream.unwritten import unwritten
from limner.workers.stream.worker import Worker
from limner.workers.tasks import InProcess
from tests.oracle.cleaning import Table
from tests.oracle.compare import same
from tests.oracle.encoders import DIM, vector_of
from tests.oracle.instants import from_micros
from tests.oracle.oracle import Oracle
from tests.oracle.pipeline import HashEncode, Memory, visible
from tests.oracle.worlds import exact

SECOND = 1_000_000
BEGIN = 1_769_990_370 * SECOND  # half a minute before the first Monday of February 2026
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: clicks
path: data/clicks
format: jsonl
event_timestamp: at
created_timestamp: received
lookup: {items: item}
tie_break: [n]
clean:
  cast: {user_id: int, n: int, amount: float, price: float}
  text: {kind: {case: lower}}
  quarantine: [amount < 0]
  drop: [kind = 'bot']
stream: {id: event_id, lateness: 2m}
---
source: visits
path: data/visits/*.jsonl
format: jsonl
event_timestamp: at
created_timestamp: received
lag: 2s
clean: {cast: {user_id: int}}
stream: {id: visit, lateness: 1m}
---
source: items
path: data/items.csv
---
encoder: tiny
model: models/tiny
---
feature_view: now
entity: user
sources: [clicks, visits]
every: event
features:
  clicks: {count: "*", over: [5s, 1m, lifetime], from: clicks}
  spend: {sum: amount, over: [5s, 1m], from: clicks}
  kinds: {top: 2, of: kind, over: 30s, from: clicks}
  path: {sequence: 3, of: kind, over: 1m, from: clicks}
  brands: {distinct: brand, over: 30s, from: clicks}
  last: {last: at, from: clicks}
  taste: {embed: "{kind} {brand}", encoder: tiny, over: 20s, from: clicks}
  visits: {count: "*", over: [10s, 40s], from: visits}
  both: {ratio: [clicks_1m, visits_40s]}
---
feature_view: short
entity: user
source: clicks
every: event
features:
  some: {count: "*", over: 5s, where: amount > 10}
  most: {max: amount, over: 20s}
"""
ITEMS = "item,brand\na,Acme\nb,Bolt\n"


class World:
    """The project in `root`; `now` is its clock. Its history begins at BEGIN with the rows of `before`."""

    def __init__(self, root: Path, before: Sequence[tuple[str, Mapping[str, Any]]] = (), specs: str = SPECS) -> None:
        self.root, self.data = root, root / "data"
        self.now = BEGIN
        self.specs = load_texts({"specs.yaml": specs})
        (self.data / "clicks").mkdir(parents=True)
        (self.data / "visits").mkdir()
        (self.data / "items.csv").write_text(ITEMS)
        rows = [("clicks", click(0, user=99, at=-3000)), ("visits", visit(0, user=99, at=-3000)), *before]
        for source in ("clicks", "visits"):
            some = [row for name, row in rows if name == source]
            lines = "".join(json.dumps({**row, "received": row["at"]}) + "\n" for row in some)
            (self.data / source / "before.jsonl").write_text(lines)
        self.place = self.data / "online.db"

    def plan(self, view: str, data: str = "data") -> ViewPlan:
        """The view's plan; `data` is the folder of its history below the root."""
        from limner.language.columns import cleaned
        from limner.language.fingerprint import fingerprint
        from limner.language.outputs import computed, local_zone, output_names

        specs = self.specs
        raw = {name: describe(source, self.root) for name, source in specs.sources.items()}
        spec = specs.views[view]
        columns = {each: cleaned(specs, each, raw) for each in spec.reads}
        members = {each: self.plan(each, data) for each in spec.views}
        taken = {each: member.outputs for each, member in members.items()}
        outputs = sorted(
            computed(spec, columns, {"tiny": DIM}, local_zone(specs, spec), taken), key=lambda output: output.name
        )
        written = set(output_names(spec))
        uses = {"tiny": MODEL} if view == "now" else {}
        return ViewPlan(
            specs=specs,
            name=view,
            raw=raw,
            outputs=tuple(output for output in outputs if output.name in written),
            hidden=tuple(output for output in outputs if output.name not in written),
            encoders=cast("Any", uses),
            fingerprint=fingerprint(specs, view, {"tiny": MODEL.fingerprint}),
            root=self.root,
            data=self.root / data,
            members=tuple(
                Member(each, member.fingerprint, member.folder / member.fingerprint) for each, member in members.items()
            ),
        )

    def materialize(self, until: int | None = None, data: str = "data", *, mends: bool = False) -> None:
        """What `feast materialize` does, from BEGIN or from where the histories end."""
        for view in self.specs.views:
            plan = self.plan(view, data)
            history = History(plan.folder / plan.fingerprint)
            before = state_of(history)
            result = materialize(plan, BEGIN, self.now if until is None else until, context())
            mended = cast("Any", result.summary.get("stream", {"rows": 0}))["rows"]
            assert mends or mended == 0  # a worker's rows are a run's
            if data == "data":
                with open_writer(self.place) as writer:
                    load(writer, plan, result.history, before, result.latest())
                    told = self._heal(writer, plan, result.history)
                    assert mends or told.none, told  # whatever workers have written since

    def _heal(self, writer: Writer, plan: ViewPlan, history: History) -> Differences:
        """A run does it where it replaced rows, and once a day."""
        database = open_database(self.place)
        rows = partial(unwritten, plan)
        found = heal(writer, database, plan, history, begun=self.now, now=self.now, unwritten=rows)
        database.close()
        return found

    def worker(self, at: Callable[[str], object] = lambda _: None) -> Worker:
        """A worker, to be entered."""
        return Worker(self.root, self.data, self.place, self.streamed(), context(), lambda: self.now, at)

    def streamed(self) -> Streamed:
        plans = {view: self.plan(view) for view in self.specs.views}
        assert not any(choose.prevented(plan.view, self.specs.sources) for plan in plans.values())
        return Streamed(plans, {n: s for n, s in self.specs.sources.items() if s.stream is not None})

    def online(self, view: str) -> dict[int, dict[str, Any]]:
        """What is served, by user."""
        database = open_database(self.place)
        found: dict[int, dict[str, Any]] = {}

        def read(snapshot: Any) -> None:
            generation = snapshot.served()[view]
            assert generation.schema == schema_of(self.plan(view))
            for key, _, value in snapshot.scan(generation):
                (user,) = generation.schema.decode(key)
                layout = generation.schema.layout
                found[user] = {column.name: layout.get(value, n) for n, column in enumerate(layout.columns)}

        database.read(read)
        database.close()
        return found

    def log(self) -> dict[str, list[dict[str, Any]]]:
        """Every event that was taken, by source: in files, or not yet."""
        lines = {name: [line for file in sorted((self.data / name).glob("*.jsonl"))
                        for line in file.read_text().splitlines()] for name in ("clicks", "visits")}  # fmt: skip
        if (self.data / FILE).exists():
            state = State(self.data)
            for name, line in state.connection.execute("SELECT source, line FROM event"):
                if line not in lines[name]:
                    lines[name].append(line)
            state.close()
        return {name: [json.loads(line) for line in some] for name, some in lines.items()}

    def dead(self, source: str) -> list[dict[str, Any]]:
        """What was set aside and written out."""
        files = sorted((self.data / "dead_letters" / source).glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def histories(self, data: str = "data") -> dict[str, list[bytes]]:
        """The rows that readers see, by view."""
        plans = {view: self.plan(view, data) for view in self.specs.views}
        return {
            view: [exact(table) for table in visible(History(plan.folder / plan.fingerprint), plan.join_keys)]
            for view, plan in plans.items()
        }

    def check_histories(self, until: int | None = None) -> None:
        """What workers and runs have written is what one run makes of all files, until now or an instant."""
        self.materialize(until, data="again")
        assert self.histories() == self.histories("again")

    def oracle(self, view: str) -> Any:
        """Brute force over all events that were taken."""
        tables = {}
        for name, rows in self.log().items():
            types = dict.fromkeys(sorted({key for row in rows for key in row}), "")
            tables[name] = Table(types, [texts(row) for row in rows])
        items = [dict(zip(("item", "brand"), line.split(","), strict=True)) for line in ITEMS.split()[1:]]
        tables["items"] = Table({"item": "", "brand": ""}, cast("Any", items))
        spec = self.specs.views[view]
        return Oracle(
            spec,
            ["user_id"],
            self.specs.sources,
            {name: tables[name] for name in {*spec.reads, "items"}},
            encoders=self.specs.encoders,
            vector_of=lambda _, text: vector_of(text),
        )

    def check(self, at: int) -> None:
        """What is online is what brute force says as of an instant."""
        for view in self.specs.views:
            oracle, found, outputs = self.oracle(view), self.online(view), self.plan(view).outputs
            for (user,) in oracle.entities:
                expected = oracle.at(at, (user,))
                got = found.pop(user, None)
                assert (got is None) == (expected is None), (view, user, got, expected)
                for output in outputs if expected is not None and got is not None else ():
                    a, b = got[output.name], expected[output.name]
                    a = list(a) if a is not None and (output.type.list or output.type.dim) else a
                    assert same(output, a, b), (view, user, output.name, a, b, at)
            assert not found


MODEL = EncoderModel("tiny", Path("none"), "mean", 32, True, "", "float32", DIM, "f" * 64)


def context() -> RunContext:
    """Everything in this process."""
    return RunContext(
        workers=InProcess(),
        encode_with=lambda _: cast("Any", HashEncode()),
        reporter=silent,
        ledger=cast("Ledger", Memory()),
        run_id=uuid.uuid4().hex,
        shards=1,
    )


def moment(at: float) -> str:
    """So many seconds after BEGIN, as texts have it."""
    return from_micros(BEGIN + round(at * SECOND)).isoformat(timespec="microseconds")


def click(n: int, *, user: int = 1, at: float, **more: Any) -> dict[str, Any]:
    """A click, `at` seconds after BEGIN."""
    row = {"event_id": f"c{n}", "n": n, "user_id": user, "at": moment(at), "amount": 5, "kind": "view", "item": "a"}
    price = (n / 7, -1e17 / 3, 0.0, n * 1e-13)[n % 4]  # sums of floats would say in which order they came
    return {**row, "price": price, **more}


def visit(n: int, *, user: int = 1, at: float) -> dict[str, Any]:
    """A visit."""
    return {"visit": n, "user_id": user, "at": moment(at)}


def raw(source: str, row: Mapping[str, Any]) -> Raw:
    """As it comes."""
    return Raw(source, json.dumps(row).encode())


def texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON Lines are read."""
    return {name: None if value is None else str(value) for name, value in row.items()}

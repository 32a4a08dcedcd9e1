"""A run that goes on from the sums of the one before: when it does, and that nothing tells the difference."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.language.columns import cleaned
from limner.language.fingerprint import fingerprint
from limner.language.outputs import outputs
from limner.language.repo import load_texts
from limner.workers import run as run_module
from limner.workers.context import RunContext
from limner.workers.history.manifest import MANIFEST, History
from limner.workers.ledger import Ledger
from limner.workers.plan import ViewPlan
from limner.workers.report import silent
from limner.workers.run import RunResult, materialize
from limner.workers.sources.describe import describe
from limner.workers.tasks import InProcess
from tests.oracle.pipeline import visible

SPECS = """
entity: user
join_keys: {user_id: int}
---
source: orders
path: orders/*.parquet
entity: user
event_timestamp: at
lookup: {products: product}
---
source: products
path: products.parquet
---
feature_view: spend
entity: user
source: orders
every: 1d
features:
  orders: {count: "*", over: [2d, 4d]}
  spend: {sum: amount, over: [3d, lifetime]}
  mean_spend: {mean: amount, over: 3d, where: amount > 1}
  spread: {std: amount, over: this_week}
  price: {mean: price, over: 2d}
"""
DAY = 86_400_000_000
BEGIN = 19_723 * DAY  # Monday, 2024-01-01


def orders(days: range, users: tuple[int, ...] = (1, 2, 3)) -> list[dict[str, Any]]:
    """An order of each user at noon of each day."""
    return [
        {"user_id": user, "amount": user * 1.1 + day, "product": f"p{day % 2}", "note": "", "at": noon(day)}
        for day in days
        for user in users
    ]


def noon(day: int) -> int:
    """Of the n-th day, µs."""
    return BEGIN + day * DAY + DAY // 2


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as Parquet."""
    path.parent.mkdir(exist_ok=True)
    table = pa.Table.from_pylist(rows)
    if "at" in table.column_names:
        table = table.set_column(table.column_names.index("at"), "at", table["at"].cast(pa.timestamp("us", "UTC")))
    pq.write_table(table, path)


BOUNDED = SPECS.replace("[3d, lifetime]", "3d").replace("this_week", "4d")


class Shop:
    """A project with a view of sums."""

    def __init__(self, root: Path, specs: str = SPECS) -> None:
        self.root, self.specs = root, specs
        self.ledger: Any = Forgetful()
        self.old = [*orders(range(0, 1), users=(7,)), *orders(range(9, 10), users=(7,)), *orders(range(0, 10))]
        write(root / "orders" / "old.parquet", self.old)
        write(root / "products.parquet", [{"product": f"p{n}", "price": n + 0.1} for n in range(2)])

    def plan(self, data: str) -> ViewPlan:
        """The view, with its history below the folder `data`."""
        specs = load_texts({"specs.yaml": self.specs})
        raw = {name: describe(source, self.root) for name, source in specs.sources.items()}
        made = outputs(specs.views["spend"], {"orders": cleaned(specs, "orders", raw)}, {})
        return ViewPlan(
            specs=specs,
            name="spend",
            raw=raw,
            outputs=tuple(sorted(made, key=lambda each: each.name)),
            encoders={},
            fingerprint=fingerprint(specs, "spend", {}),
            root=self.root,
            data=self.root / data,
        )

    def run(self, data: str, after: int, until: int, shards: int = 2) -> RunResult:
        """Materialize over days."""
        context = RunContext(InProcess(), cast(Any, None), silent, cast(Ledger, self.ledger), "run", shards)
        return materialize(self.plan(data), BEGIN + after * DAY, BEGIN + until * DAY, context)

    def both(self, shards: int = 2) -> RunResult:
        """The ninth day: a run that may go on, compared with one that starts anew."""
        write(self.root / "orders" / "new.parquet", orders(range(8, 9), users=(1, 9)))
        forget(self.plan("full"))
        found, expected = self.run("on", 8, 9, shards), self.run("full", 8, 9)
        assert expected.summary["not_carried"] == "the last run handed on no sums"
        assert rows(found) == rows(expected)
        assert len(rows(found)) > 20
        return found


def forget(plan: ViewPlan) -> None:
    """Take from the next run what the last one handed on."""
    manifest = plan.folder / plan.fingerprint / MANIFEST
    text = manifest.read_text()
    manifest.write_text(text[: text.index('"handed"')].rstrip(", \n") + "}")


class Forgetful:
    """A ledger that remembers nothing."""

    def task_done(self, *_: Any) -> bool:
        """Never."""
        return False

    def record_task(self, *_: Any) -> None:
        """Forgotten."""

    def quarantine(self, *_: Any) -> None:
        """Forgotten."""


def rows(result: RunResult) -> list[dict[str, Any]]:
    """All rows of a history."""
    found = [row for table in visible(result.history, ["user_id"]) for row in table.to_pylist()]
    return sorted(found, key=lambda row: (row["user_id"], row["event_timestamp"]))


@pytest.fixture(params=[SPECS, BOUNDED], ids=["lifetime", "bounded"])
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    """After eight days, twice."""
    made = Shop(tmp_path, request.param)
    for data in ("on", "full"):
        assert made.run(data, 0, 8).summary["not_carried"] == "it is the beginning of the history"
    return made


def handed(shop: Shop, name: str) -> list[Path]:
    """Files with what was handed on."""
    return sorted((shop.root / "on").rglob(name))


def touch(shop: Shop) -> None:
    """Give a file another time."""
    os.utime(shop.root / "orders" / "old.parquet", ns=(1, 1))


def grow(shop: Shop) -> None:
    """Rewrite the file with one more day."""
    write(shop.root / "orders" / "old.parquet", [*shop.old, *orders(range(10, 11))])


def divide(shop: Shop) -> None:
    """The same rows in two files, back to front."""
    write(shop.root / "orders" / "odd.parquet", shop.old[::-2])
    write(shop.root / "orders" / "old.parquet", shop.old[-2::-2])


def note(shop: Shop) -> None:
    """Change a column that no feature reads."""
    write(shop.root / "orders" / "old.parquet", [{**row, "note": "read"} for row in shop.old])


def nothing(_: Shop) -> None:
    """Leave all as it is."""


@pytest.mark.parametrize("change", [nothing, touch, grow, divide, note])
def test_a_run_goes_on_while_old_rows_are_the_same(shop: Shop, change: Callable[[Shop], None]) -> None:
    """It reads what enters and leaves windows on that day, whatever files the rows are in."""
    change(shop)
    found = shop.both()
    assert found.summary["carried"]
    assert cast(int, found.summary["rows_read"]) <= 5 * 3 + 2


def late(shop: Shop) -> str:
    """A row of the time before comes in a new file."""
    write(shop.root / "orders" / "late.parquet", orders(range(7, 8), users=(2,)))
    return "new files of orders have rows of the time before"


def gone(shop: Shop) -> str:
    """A row is not there any more."""
    write(shop.root / "orders" / "old.parquet", shop.old[:-8] + shop.old[-7:])
    return "orders has other rows of the time before than the last run knew"


def changed(shop: Shop) -> str:
    """A value has changed, in rows that stay in their windows."""
    write(shop.root / "orders" / "old.parquet", [*shop.old[:-7], {**shop.old[-7], "amount": 5.5}, *shop.old[-6:]])
    return "orders has other rows of the time before than the last run knew"


def dearer(shop: Shop) -> str:
    """Another price is looked up."""
    write(shop.root / "products.parquet", [{"product": f"p{n}", "price": n + 0.2} for n in range(2)])
    return "what orders looks up has changed"


def lost(shop: Shop) -> str:
    """Somebody removed a file of sums."""
    handed(shop, "*-state.parquet")[0].unlink()
    return "what was handed on cannot be read"


def torn(shop: Shop) -> str:
    """A file of sums is damaged."""
    handed(shop, "*-state.parquet")[0].write_bytes(b"PAR1")
    return "what was handed on cannot be read"


def outdated(shop: Shop) -> str:
    """The files are of another version of Limner."""
    (record,) = handed(shop, "handed-on.json")
    record.write_text(record.read_text().replace('"version": 1', '"version": 0'))
    return "the last run handed on no sums"


@pytest.mark.parametrize("change", [late, gone, changed, dearer, lost, torn, outdated])
def test_a_run_that_cannot_trust_the_sums_computes_from_all_rows(shop: Shop, change: Callable[[Shop], str]) -> None:
    """It says why, and the next one goes on again."""
    reason = change(shop)
    found = shop.both()
    assert not found.summary["carried"]
    assert reason in cast(str, found.summary["not_carried"])
    forget(shop.plan("full"))
    then = shop.run("on", 9, 10)
    assert then.summary["carried"]
    assert rows(then) == rows(shop.run("full", 9, 10))


def test_shards_of_another_number_have_no_sums(shop: Shop) -> None:
    """They are others' entities."""
    assert shop.both(shards=3).summary["not_carried"] == "the number of shards has changed"


def test_only_the_newest_sums_are_kept(shop: Shop) -> None:
    """A shard has one file of them."""
    shop.run("on", 8, 9)
    shop.run("on", 9, 10)
    assert len(handed(shop, "*-state.parquet")) == 2
    assert len(handed(shop, "handed-on.json")) == 1
    again = shop.run("on", 5, 6)
    assert again.reasons == ("up to date",)
    assert shop.run("on", 10, 11).summary["carried"]


def test_an_earlier_interval_leaves_the_sums_alone(shop: Shop) -> None:
    """They belong to the end of the history."""
    touch(shop)
    assert shop.run("on", 3, 4).summary["not_carried"] == "the interval ends before the history does"
    assert shop.both().summary["carried"]


class Remembering(Forgetful):
    """A ledger that remembers what was done."""

    def __init__(self) -> None:
        self.done: set[Any] = set()

    def task_done(self, key: Any, inputs: Any) -> bool:
        """Whether it was."""
        return (key, inputs) in self.done

    def record_task(self, *task: Any) -> None:
        """For the next run."""
        self.done.add((task[1], task[2]))


@pytest.mark.parametrize("moment", ["write_record", "commit"])
def test_a_run_that_dies_leaves_the_sums_of_the_one_before(
    shop: Shop, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one goes on from them, with the shards that were done, and leaves no file of the dead one behind."""
    shop.ledger = Remembering()
    owner: Any = History if moment == "commit" else run_module

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, moment, die)
        with pytest.raises(KeyboardInterrupt):
            shop.run("on", 8, 9)
    assert len(handed(shop, "*-state.parquet")) == 4
    assert len(handed(shop, "handed-on.json")) == (2 if moment == "commit" else 1)
    told = len(shop.ledger.done)
    write(shop.root / "orders" / "new.parquet", orders(range(8, 9), users=(1, 9)))
    assert shop.both().summary["carried"]
    assert len(shop.ledger.done) > told  # a file came: they were made from other inputs
    assert len(handed(shop, "*-state.parquet")) == 2
    assert len(list((shop.root / "on").rglob("handed-on.json"))) == 1


def test_shards_that_a_dead_run_finished_are_not_computed_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are their sums."""
    shop.ledger = Remembering()
    write(shop.root / "orders" / "new.parquet", orders(range(8, 9), users=(1, 9)))

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(History, "commit", die)
        with pytest.raises(KeyboardInterrupt):
            shop.run("on", 8, 9)
    written = {path: path.stat().st_mtime_ns for path in handed(shop, "*-state.parquet")}
    done = set(shop.ledger.done)
    forget(shop.plan("full"))
    found = shop.run("on", 8, 9)
    assert found.summary["carried"]
    assert rows(found) == rows(shop.run("full", 8, 9))
    assert all(path.stat().st_mtime_ns == written[path] for path in handed(shop, "*-state.parquet"))
    assert done <= shop.ledger.done
    assert shop.run("on", 9, 10).summary["carried"]

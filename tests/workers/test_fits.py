"""Fits of a view: made once, from what was known at their instant, and kept with the history they belong to."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.language.repo import load_texts
from limner.workers.context import RunContext
from limner.workers.derive.population import Moments, moments, principal, sample
from limner.workers.fitting import read_fits
from limner.workers.history.manifest import History
from limner.workers.ledger import Ledger
from limner.workers.plan import plan_view
from limner.workers.report import Event, FitStarted
from limner.workers.run import materialize
from limner.workers.tasks import InProcess

SPECS = """
entity: user
join_keys: {user_id: int}
---
source: orders
path: orders.parquet
event_timestamp: at
---
feature_view: spending
entity: user
source: orders
every: 1d
features:
  spend: {sum: amount, over: 30d}
  z: {zscore: spend, fit: "2026-01-10T12:00:00Z"}
  twice: {minmax: z, fit: "2026-01-12"}
  profile: {vector: [{scalars: [spend, z]}], fit: "2026-01-12", project: {pca: 2}}
"""
START, FIT = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 10, 12, tzinfo=UTC)


class World:
    """Orders of a few users in a folder, and runs over them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.events: list[Event] = []

    def write(self, *rows: tuple[int, datetime, float]) -> None:
        """The orders there are: user, instant, amount."""
        users, instants, amounts = zip(*rows, strict=True)
        table = pa.table(
            {
                "user_id": users,
                "at": pa.array(instants, pa.timestamp("us", "UTC")),
                "amount": pa.array(amounts, pa.float64()),
            }
        )
        pq.write_table(table, self.root / "orders.parquet")

    def run(self, until: str, data: str = "data", shards: int = 1) -> History:
        """Materialize from the start."""
        plan = plan_view(load_texts({"s.yaml": SPECS}), "spending", self.root, self.root / data)
        ledger = cast("Ledger", Silent())
        context = RunContext(InProcess(), _nobody, self.events.append, ledger, "run", shards=shards)
        return materialize(plan, parse_instant("2026-01-01"), parse_instant(until), context).history

    def values(self, history: History, user: int, name: str) -> dict[str, Any]:
        """The values of a user by the day on which they changed."""
        rows = [row for part in history.parts() for row in pq.read_table(part.path).to_pylist()]
        return {f"{row['event_timestamp']:%m-%d}": row[name] for row in rows if row["user_id"] == user}


class Silent:
    """A ledger that remembers nothing."""

    def task_done(self, *_: Any) -> bool:
        """Never."""
        return False

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_more: None


def _nobody(_model: Any) -> Any:
    raise AssertionError("there are no texts")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    day = timedelta(days=1)
    made.write(
        (1, START + day, 1.0), (2, START + day, 3.0), (3, START + day, 5.0),
        (1, FIT - day, 1.0), (2, FIT + day / 4, 100.0), (4, FIT + day, 2.0),
    )  # fmt: skip
    return made


def test_a_value_before_the_fit_is_null_and_everybody_gets_one_at_the_next_instant_of_the_grid(world: World) -> None:
    """Of what was known at the grid's last instant before it: 2, 3 and 5; the order of a few hours later is no part."""
    history = world.run("2026-01-20")
    fit = read_fits(history.folder)["z"]
    assert fit.entities == 3
    scale = fit.scales["zscore of spend"]
    assert (scale.center, scale.count) == (10 / 3, 3)
    assert scale.width == pytest.approx((14 / 9) ** 0.5)
    z = (5 - scale.center) / scale.width
    assert world.values(history, 3, "z") == {"01-03": None, "01-11": z, "01-12": z}  # the other fit, the day after
    assert world.values(history, 2, "z")["01-11"] == (103 - scale.center) / scale.width
    assert set(world.values(history, 4, "z")) == {"01-12"}


def test_a_fit_is_made_by_the_run_that_reaches_it_and_never_again(world: World) -> None:
    """Rows that come later and were known before it change values, not the fit."""
    assert read_fits(world.run("2026-01-09").folder) == {}
    made = read_fits(world.run("2026-01-11").folder)
    assert set(made) == {"z"}
    world.write((1, START, 1.0), (2, START, 1000.0), (5, START, 9.0))
    history = world.run("2026-01-20")
    again = read_fits(history.folder)
    assert again["z"] == made["z"]
    assert again["z"].identity == made["z"].identity
    fitted = [event.outputs for event in world.events if isinstance(event, FitStarted)]
    assert fitted[0] == ("z",)
    assert {name for names in fitted[1:] for name in names} == {"twice", "profile"}


def test_the_shards_and_the_runs_do_not_matter(world: World) -> None:
    """Nor do the fits: one run in one shard gives the files that many runs in three shards give."""
    whole = world.run("2026-01-20", "whole")
    for until in ("2026-01-05", "2026-01-10T13:00:00Z", "2026-01-11", "2026-01-20"):
        parts = world.run(until, "parts", shards=3)
    assert read_fits(parts.folder) == read_fits(whole.folder)
    for user in (1, 2, 3, 4):
        for name in ("spend", "z", "twice", "profile"):
            assert world.values(parts, user, name) == world.values(whole, user, name)


def test_a_fit_that_cannot_be_read_says_what_to_do(world: World) -> None:
    """It is never made again by itself: what was computed with it would mean something else."""
    history = world.run("2026-01-20")
    (history.folder / "fit-z.json").write_text("{}")
    with pytest.raises(LimnerError, match=r"(?s)fit-z\.json cannot be read.*delete .* and materialize again"):
        world.run("2026-01-25")


def test_moments_add_up_exactly_in_any_order() -> None:
    """Beside 1e300, 1 is not lost; the deviation is that of all values."""
    values = [1e300, 1.0, -1e300, 1e-300, None, 3.0]
    whole = moments(pa.array(values))
    parts = [moments(pa.array([value], pa.float64())) for value in reversed(values)]
    assert sum(parts, Moments()) == whole
    assert whole.zscore().center == 0.8
    assert moments(pa.array([2**53 + 1, 5, None])).count == 2
    assert Moments().zscore().width is Moments().minmax().width is None
    assert moments(pa.array([2.0, 2.0])).zscore().width is None
    assert moments(pa.array([1, 2, 3, 4])).zscore().width == 1.118033988749895


def test_a_sample_is_the_same_whatever_the_shards() -> None:
    """Chosen by the keys alone, sorted by them."""
    rows = pa.table({"id": range(500), "x": np.arange(500) / 7})
    whole = sample(rows, ["id"], 100)
    halves = [sample(rows.slice(0, 200), ["id"], 100), sample(rows.slice(200), ["id"], 100)]
    assert sample(pa.concat_tables(halves[::-1]), ["id"], 100).equals(whole)
    assert whole["id"].to_pylist() == sorted(whole["id"].to_pylist())
    assert 20 < sum(key < 200 for key in whole["id"].to_pylist()) < 60


def test_principal_components_are_those_of_the_covariance() -> None:
    """Directions of greatest variance, at right angles, of length 1; the largest loading positive; within 1e-9."""
    random = np.random.default_rng(7)
    matrix = random.normal(size=(200, 6)) @ random.normal(size=(6, 6)) + 5
    found = principal(matrix, 4)
    rows = np.array(found.rows)
    values, vectors = np.linalg.eigh(np.cov(matrix.T, bias=True))
    assert np.abs(rows @ rows.T - np.eye(4)).max() < 1e-9
    assert np.abs(np.abs(rows) - np.abs(vectors[:, ::-1].T[:4])).max() < 1e-9
    assert found.explained == pytest.approx((values[::-1] / values.sum())[:4], abs=1e-9)
    assert all(row[np.abs(row).argmax()] > 0 for row in rows)


def test_components_that_a_small_population_does_not_have_are_zero() -> None:
    """Two entities lie on one line."""
    found = principal(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]), 3)
    assert [any(row) for row in found.rows] == [True, False, False]
    assert found.explained == (1.0, 0.0, 0.0)
    assert not any(any(row) for row in principal(np.zeros((0, 2)), 1).rows)


def test_a_fit_is_readable_by_people(world: World) -> None:
    """JSON, with its instant and how many entities there were."""
    history = world.run("2026-01-20")
    data = json.loads((history.folder / "fit-profile.json").read_text())
    assert data["instant"] == parse_instant("2026-01-12")
    assert data["entities"] == 4
    assert len(data["components"]["rows"]) == 2

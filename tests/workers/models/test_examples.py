"""Examples, held to the plainest Python: who was known, what was known of them, and what came after."""

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from limner.workers.models.drawing import examples
from limner.workers.models.examples import AT, LABEL
from tests.oracle.profiles import many
from tests.workers.models.world import DAY, FIRST, Order, context, specs, write

KEYS = {1: (1, "b"), 2: (2, "a"), 3: (1, "a")}
MONDAY = 4 * DAY  # grids count from Monday, 1970-01-05
SPECS = """
entity: user
join_keys: {user_id: int, shop: string}
---
source: orders
path: orders/*.parquet
event_timestamp: at
created_timestamp: written
---
feature_view: spend
entity: user
source: orders
every: EVERY
features:
  orders: {count: "*", over: [2d, lifetime]}
  recent: {mean: amount, over: 3d}
  often: {expression: orders_2d > 1}
---
feature_view: gifts
entity: user
source: orders
every: event
features: {gifts: {count: "*", where: gift, over: 4d}, other: {last: amount}}
---
model: m
entity: user
propensity:
  features: [spend, {gifts: [gifts]}]
  label: {LABEL, from: orders, next: AHEAD}
  POPULATION
  every: GRID
  OVER
cut_off: 2026-01-01
"""
LABELS: dict[str, Callable[[list[Order]], bool | None]] = {
    'count: "*", is: "= 0"': lambda rows: not rows,
    'count: amount, is: ">= 2"': lambda rows: len(_amounts(rows)) >= 2,
    'sum: amount, where: gift, is: "> 3.5"': lambda rows: _sum([row for row in rows if row.gift]) > 3.5,
    'mean: amount, is: "<= 4"': lambda rows: _sum(rows) / len(_amounts(rows)) <= 4 if _amounts(rows) else None,
    'max: amount, is: "!= 5"': lambda rows: max(_amounts(rows)) != 5 if _amounts(rows) else None,
}
LENGTHS = {"1d": DAY, "2d": 2 * DAY, "36h": DAY * 3 // 2, "9h": DAY * 9 // 24, "5d": 5 * DAY}
GRIDS = {"1d": (DAY, 0), "1d\nat: \"02:00\"": (DAY, DAY // 12), "event": (None, 0), "3h": (DAY // 8, 0)}  # fmt: skip


def _amounts(rows: Sequence[Order]) -> list[float]:
    return [row.amount for row in rows if row.amount is not None]


def _sum(rows: Sequence[Order]) -> float:
    return math.fsum(_amounts(rows))


_STEPS = st.integers(0, 12 * 8)  # of 3 hours, so that rows meet grids and the borders of windows
_ROWS = st.lists(
    st.builds(
        lambda user, step, late, amount, gift, odd: Order(
            user, FIRST + step * DAY // 8 + odd, FIRST + (step + late) * DAY // 8 + odd, amount, gift
        ),
        st.integers(1, 3),
        _STEPS,
        st.sampled_from([0, 0, 0, 1, 8, 20]),
        st.one_of(st.none(), st.sampled_from([0.5, 1.0, 4.0, 5.0])),
        st.booleans(),
        st.sampled_from([0, 0, 1, -1]),
    ),
    min_size=8,
    max_size=20,
)


@many(80)
@given(
    rows=_ROWS,
    grid=st.sampled_from(sorted(GRIDS)),
    label=st.sampled_from(sorted(LABELS)),
    ahead=st.sampled_from(["1d", "36h", "9h"]),
    every=st.sampled_from(["9h", "1d", "36h"]),
    population=st.sampled_from([None, "36h", "2d"]),
    over=st.sampled_from([None, None, "5d"]),
    cut=st.integers(5 * 8, 13 * 8),
)
def test_examples_are_those_of_plain_python(
    rows: list[Order], grid: str, label: str, ahead: str, every: str, population: str | None, over: str | None, cut: int
) -> None:
    cut_off = FIRST + cut * DAY // 8
    text = SPECS.replace("EVERY", grid).replace("LABEL", label).replace("AHEAD", ahead).replace("GRID", every)
    asks = f'population: {{count: "*", from: orders, over: {population}, is: "> 0"}}' if population else ""
    text = text.replace("POPULATION", asks).replace("OVER", f"over: {over}" if over else "")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, rows)
        _two_keys(root)
        found = specs(root, text)
        stage = root / "stage"
        stage.mkdir()
        _, drawn = examples(found, found.models["m"], cut_off, root, root / "data", context(), stage)
        got = pa.concat_tables([pq.read_table(each.file) for each in drawn]).to_pylist()
    wanted = _expected(rows, grid, label, LENGTHS[ahead], LENGTHS[every], population, over, cut_off)
    assert sorted(got, key=_order) == sorted(wanted, key=_order)


def _two_keys(root: Path) -> None:
    """Users become users of shops."""
    path = root / "orders" / "a.parquet"
    table = pq.read_table(path)
    users, shops = zip(*(KEYS[user] for user in table["user_id"].to_pylist()), strict=True)
    pq.write_table(table.set_column(0, "user_id", pa.array(users)).append_column("shop", pa.array(shops)), path)


def _order(row: dict[str, Any]) -> tuple[int, int, str]:
    return row[AT], row["user_id"], row["shop"]


def _expected(
    rows: list[Order], grid: str, label: str, ahead: int, every: int, population: str | None, over: str | None,
    cut_off: int,
) -> list[dict[str, Any]]:  # fmt: skip
    found = []
    at = MONDAY + math.floor((min(row.at for row in rows) - MONDAY) / every) * every
    while at + ahead <= cut_off:
        for user in (1, 2, 3):
            mine = [row for row in rows if row.user == user]
            spend, gifts = _spend(mine, at, *GRIDS[grid]), _gifts(mine, at)
            if (spend or gifts) and (over is None or at >= cut_off - LENGTHS[over]):
                asked = population is None or any(row.at >= at - LENGTHS[population] for row in _known(mine, at))
                then = [row for row in mine if at <= row.at < at + ahead and row.written <= cut_off]
                answer = LABELS[label](then)
                if asked and answer is not None:
                    none = dict.fromkeys(("spend.often", "spend.orders_2d", "spend.orders_lifetime", "spend.recent"))
                    values = (spend or none) | (gifts or {"gifts.gifts": None})
                    found.append(
                        {**dict(zip(("user_id", "shop"), KEYS[user], strict=True)), AT: at, LABEL: answer, **values}
                    )
        at += every
    return found


def _known(rows: Sequence[Order], at: int) -> list[Order]:
    return [row for row in rows if row.at < at and row.written <= at]


def _spend(rows: Sequence[Order], at: int, step: int | None, offset: int) -> dict[str, Any] | None:
    tick = at if step is None else MONDAY + offset + (at - MONDAY - offset) // step * step
    known = _known(rows, tick)
    if not known:
        return None
    days = {n: [row for row in known if row.at >= tick - n * DAY] for n in (2, 3)}
    amounts = _amounts(days[3])
    return {
        "spend.orders_2d": len(days[2]),
        "spend.orders_lifetime": len(known),
        "spend.often": len(days[2]) > 1,
        "spend.recent": math.fsum(amounts) / len(amounts) if amounts else None,
    }


def _gifts(rows: Sequence[Order], at: int) -> dict[str, Any] | None:
    known = _known(rows, at)
    return {"gifts.gifts": sum(row.gift and row.at >= at - 4 * DAY for row in known)} if known else None

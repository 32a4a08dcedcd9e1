"""What the shop sees is a shop's data: complete, consistent, and as untidy as it is said to be."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.simulate.options import Options
from limner.simulate.run import simulate

Table = Callable[[str], pd.DataFrame]

INSTANT = "timestamp[us, tz=UTC]"
EVENTS = {
    "event_id": "int64",
    "shopper_id": "int64",
    "event_timestamp": INSTANT,
    "created_timestamp": INSTANT,
    "kind": "string",
    "session_id": "int64",
    "product_id": "int64",
    "category": "string",
    "price": "double",
    "quantity": "int64",
    "amount": "double",
    "coupon_id": "int64",
    "query": "string",
    "review": "string",
    "rating": "int64",
}
PRESENT = {
    "search": {"query", "session_id"},
    "browse": {"session_id", "product_id", "category", "price"},
    "add_to_cart": {"session_id", "product_id", "category", "price", "quantity"},
    "buy": {"session_id", "product_id", "category", "price", "quantity", "amount"},
    "review": {"product_id", "category", "review", "rating"},
}


def test_every_file_of_events_has_the_same_columns_and_lies_in_its_month_in_order(shop: Path) -> None:
    """Readers that know the folders read only what they need."""
    paths = sorted((shop / "events").rglob("*.parquet"))
    assert [path.parent.name for path in paths] == [f"month=2025-{month:02d}" for month in range(1, 13)]
    for path in paths:
        found = pq.read_table(path, partitioning=None)
        assert {field.name: str(field.type) for field in found.schema} == EVENTS
        at = found.column("event_timestamp").to_pandas()
        assert at.is_monotonic_increasing
        assert set(at.dt.strftime("month=%Y-%m")) == {path.parent.name}


def test_there_are_exactly_as_many_events_as_asked_for(table: Table) -> None:
    """Ids count from 1; what is written twice comes on top."""
    events = table("events")
    assert sorted(events.event_id) == list(range(1, 240_001))
    assert sorted(table("shoppers").shopper_id) == list(range(1, 2_001))
    assert events.event_timestamp.min() >= pd.Timestamp("2025-01-01", tz="UTC")
    assert events.event_timestamp.max() < pd.Timestamp("2026-01-01", tz="UTC")


@pytest.mark.parametrize("events", [1, 100, 1_777])
def test_few_events_of_many_shoppers_are_exact_too(events: int, tmp_path: Path) -> None:
    """Some blocks have none."""
    simulate(tmp_path, Options(shoppers=1_600, events=events, days=1))
    found = pq.read_table(tmp_path / "events").to_pandas()
    assert sorted(found.event_id.unique()) == list(range(1, events + 1))


@pytest.mark.parametrize("kind", PRESENT)
def test_a_kind_of_event_has_its_columns_and_no_others(kind: str, table: Table) -> None:
    """What does not apply is null."""
    events = table("events")
    rows = events[events.kind == kind]
    always = {"event_id", "shopper_id", "event_timestamp", "created_timestamp", "kind", "month"}
    found = {name for name in rows.columns if rows[name].notna().all()} - always
    assert found == PRESENT[kind]
    others = {name for name in rows.columns if rows[name].notna().any()} - always - found
    assert others == ({"coupon_id"} if kind == "buy" else set())


def test_some_rows_are_late_and_some_are_written_twice(shop: Path) -> None:
    """As many as the page says; a second copy differs in when it was written, and is later."""
    written = pq.read_table(shop / "events").to_pandas()
    late = written.created_timestamp - written.event_timestamp
    assert (late >= pd.Timedelta(0)).all()
    copies = written[written.duplicated("event_id", keep=False)].sort_values("created_timestamp", kind="stable")
    assert 0.003 < len(copies) / 2 / len(written) < 0.007
    once = written.drop_duplicates("event_id")
    assert 0.02 < (once.created_timestamp - once.event_timestamp > pd.Timedelta("1h")).mean() < 0.04
    first, second = copies.drop_duplicates("event_id"), copies.drop_duplicates("event_id", keep="last")
    others = [name for name in written.columns if name != "created_timestamp"]
    first, second = first.sort_values("event_id"), second.sort_values("event_id")
    pd.testing.assert_frame_equal(first[others].reset_index(drop=True), second[others].reset_index(drop=True))
    assert (second.created_timestamp.to_numpy() > first.created_timestamp.to_numpy()).all()


def test_prices_amounts_and_coupons_add_up(table: Table) -> None:
    """What is paid follows from what is bought; coupons are redeemed by who was sent them, in time."""
    events, products = table("events"), table("products").set_index("product_id")
    priced = events[events.price.notna()]
    about = products.loc[priced.product_id]
    assert (priced.price.to_numpy() == about.price.to_numpy()).all()
    assert (priced.category.to_numpy() == about.category.to_numpy()).all()
    buys = events[events.kind == "buy"]
    redeemed = buys.merge(table("coupons"), on="coupon_id")
    plain = buys[buys.coupon_id.isna()]
    np.testing.assert_allclose(plain.amount, plain.price * plain.quantity, atol=0.006)
    np.testing.assert_allclose(
        redeemed.amount, redeemed.price * redeemed.quantity * (1 - redeemed.discount), atol=0.006
    )
    assert len(redeemed) > 500
    assert len(redeemed.merge(table("offers"), on=["coupon_id", "shopper_id"])) == len(redeemed)
    assert all(row.category in row.categories.split(", ") for row in redeemed.itertuples())
    slack = pd.Timedelta("2h")  # a visit goes on with the coupon that it began with
    assert redeemed.event_timestamp.between(redeemed.valid_from, redeemed.valid_until + slack).all()


def test_a_visit_is_one_shopper_at_one_time(table: Table) -> None:
    """What is bought was put into the cart before, in the same visit, and looked at before that."""
    events = table("events")
    visits = events[events.session_id.notna()].groupby("session_id")
    assert (visits.shopper_id.nunique() == 1).all()
    assert (visits.event_timestamp.max() - visits.event_timestamp.min() < pd.Timedelta("3h")).all()
    keys = ["session_id", "product_id"]
    for later, earlier in (("buy", "add_to_cart"), ("add_to_cart", "browse")):
        first = events[events.kind == earlier].groupby(keys).event_timestamp.min()
        then = events[events.kind == later].groupby(keys).event_timestamp.min()
        assert (first.reindex(then.index) <= then).all()


def test_products_are_described_in_the_languages_asked_for(table: Table, tmp_path: Path) -> None:
    """Interests must be told from words, so words there must be."""
    products = table("products")
    chinese = products.description.str.contains(r"[\u4e00-\u9fff]")
    assert chinese.mean() == 0.5
    assert not products[["name", "description"]].stack().str.contains("[{}]").any()
    assert products.name.nunique() > 1_500
    simulate(tmp_path, Options(shoppers=20, events=500, days=30, language="en"))
    texts = pa.concat_tables([pq.read_table(path) for path in (tmp_path / "events").rglob("*.parquet")]).to_pandas()
    written = pd.concat([texts["query"].dropna(), texts.review.dropna()])
    assert written.str.match(r"^[\x20-\x7e]+$").all()

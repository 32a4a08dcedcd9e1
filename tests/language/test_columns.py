"""Specs held against the columns there are."""

from limner.language.columns import check, cleaned
from limner.language.models import LogicalType
from limner.language.scope import scope
from tests.language.examples import RAW, specs, view


def test_columns_are_the_sources_own_after_casts_then_those_of_lookups_and_the_aliases() -> None:
    found = specs(
        "source: clicks\npath: x.csv\nevent_timestamp: ts\n"
        "clean: {cast: {amount: float}}\nlookup: {products: product_id}",
    )
    assert cleaned(found, "clicks", RAW) == {
        "id": "int", "ts": "timestamp", "event_timestamp": "timestamp", "title": "string", "amount": "float",
        "product_id": "int", "price": "float", "brand": "string", "department": "string",
    }  # fmt: skip


def test_a_text_column_declared_as_time_is_a_timestamp() -> None:
    found = specs("source: clicks\npath: x.csv\nevent_timestamp: title\ncreated_timestamp: ts")
    columns = cleaned(found, "clicks", RAW)
    assert (columns["title"], columns["event_timestamp"], columns["created_timestamp"]) == ("timestamp",) * 3


def test_since_gives_the_alias_event_timestamp() -> None:
    assert (
        cleaned(specs("source: clicks\npath: x.csv\nsince: 2024-01-01"), "clicks", RAW)["event_timestamp"]
        == "timestamp"
    )


def test_the_key_of_a_lookup_is_not_ambiguous() -> None:
    found = scope(specs(), "purchases", RAW)
    assert set(found.ambiguous) == {"price"}
    assert found.joined["product_id"] == "int"


def test_a_dimensions_own_casts_apply() -> None:
    found = specs(
        "source: prices\npath: x.csv\nclean: {cast: {cost: float}}",
        "source: clicks\npath: y.csv\nsince: 2024-01-01\nlookup: {prices: id}",
    )
    prices: dict[str, LogicalType] = {"id": "int", "cost": "string"}
    raw = {**RAW, "prices": prices}
    assert cleaned(found, "clicks", raw)["cost"] == "float"


def test_correct_uses_of_every_kind_pass() -> None:
    features = """{
      a: {count: "*", where: "event_timestamp >= '2024-01-01' and brand = 'x'"}, b: {sum: quantity},
      c: {mean: sales_value},
      d: {min: event_timestamp, default: 2024-01-01}, e: {max: brand}, f: {std: quantity}, g: {distinct: gift},
      h: {first: gift},
      i: {last: channel, default: ""}, j: {latest: department}, k: {top: 3, of: quantity, default: [1]},
      l: {share: "*", where: gift},
      m: {embed: "{brand} {quantity}", encoder: minilm, pool: {mean: {weight: quantity}}}}"""
    check(specs(view(features)), RAW)


def test_sources_whose_columns_are_not_known_are_left_alone() -> None:
    check(specs(view("{a: {sum: nowhere}}")), {})

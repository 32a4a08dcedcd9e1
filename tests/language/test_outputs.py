"""What a view produces: names, windows, types and defaults."""

import pytest

from limner.language.columns import cleaned
from limner.language.outputs import Output, OutputType, local_zone, output_names, outputs, profile_members
from limner.language.windows import Calendar, Lifetime, Sliding
from tests.language.examples import RAW, specs, view

DAY = 86_400_000_000
ZONE = "America/New_York"


def _outputs(features: str) -> dict[str, Output]:
    found = specs(view(features))
    made = outputs(found.views["taste"], {"purchases": cleaned(found, "purchases", RAW)}, {"minilm": 384}, ZONE)
    assert output_names(found.views["taste"]) == tuple(output.name for output in made)
    return {output.name: output for output in made}


def test_a_list_of_windows_makes_a_feature_a_window_and_one_window_keeps_the_name() -> None:
    made = _outputs(
        "{orders: {count: '*', over: [7d, 2w, lifetime]}, spend: {sum: sales_value, over: 30d}, all: {count: '*'}}"
    )
    assert {name: output.window for name, output in made.items()} == {
        "orders_7d": Sliding(7 * DAY), "orders_2w": Sliding(14 * DAY), "orders_lifetime": Lifetime(),
        "spend": Sliding(30 * DAY), "all": Lifetime(),
    }  # fmt: skip


def test_a_calendar_window_is_one_of_the_views_zone() -> None:
    made = _outputs("{orders: {count: '*', over: [this_month, last_week]}, spend: {sum: sales_value, over: this_day}}")
    assert {name: output.window for name, output in made.items()} == {
        "orders_this_month": Calendar("month", 0, ZONE),
        "orders_last_week": Calendar("week", 1, ZONE),
        "spend": Calendar("day", 0, ZONE),
    }


def test_the_zone_of_a_view_is_its_sources_unless_it_has_one() -> None:
    plain, own = view("{n: {count: '*'}}"), view("{n: {count: '*'}}", more="timezone: Asia/Shanghai")
    assert [local_zone(found, found.views["taste"]) for found in (specs(plain), specs(own))] == [ZONE, "Asia/Shanghai"]


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("count: '*'", OutputType("int")),
        ("distinct: brand", OutputType("int")),
        ("sum: quantity", OutputType("int")),
        ("sum: sales_value", OutputType("float")),
        ("mean: quantity", OutputType("float")),
        ("std: quantity", OutputType("float")),
        ("share: quantity, where: gift", OutputType("float")),
        ("min: brand", OutputType("string")),
        ("max: event_timestamp", OutputType("timestamp")),
        ("first: gift", OutputType("bool")),
        ("last: quantity", OutputType("int")),
        ("latest: sales_value", OutputType("float")),
        ("top: 3, of: channel", OutputType("string", list=True)),
        ("median: quantity", OutputType("float")),
        ("quantile: quantity, q: 0.5", OutputType("float")),
        ("trend: quantity", OutputType("float")),
        ("trend: '*', as: ratio, over: 7d", OutputType("float")),
        ("mode: channel", OutputType("string")),
        ("entropy: channel", OutputType("float")),
        ("histogram: hour", OutputType("int", list=True)),
        ("histogram: hour, share: true", OutputType("float", list=True)),
        ("embed: '{title}', encoder: minilm", OutputType("float", list=True, dim=384)),
    ],
)
def test_the_type_follows_from_the_kind_and_its_column(feature: str, expected: OutputType) -> None:
    assert _outputs(f"{{f: {{{feature}}}}}")["f"].type == expected


def test_a_long_chain_of_derived_features_has_a_value_a_window() -> None:
    """Each link names the one before twice: looked at anew for each mention, 60 links would never end."""
    links = (f"  a{i}: {{ratio: [a{i - 1}, a{i - 1}]}}\n" for i in range(1, 61))
    found = _outputs("\n  a0: {sum: quantity, over: [7d, 30d]}\n" + "".join(links))
    assert found["a60_7d"].inputs == (("a59", ("a59_7d",)),)
    assert len(found) == 2 * 61


def test_rfm_is_short_for_three_features() -> None:
    made = _outputs("{value: {rfm: sales_value, orders: basket_id, over: [7d, this_month], where: gift}}")
    assert {name: (output.feature.kind, output.feature.column, output.type.base) for name, output in made.items()} == {
        "value_recency_7d": ("max", "event_timestamp", "timestamp"),
        "value_recency_this_month": ("max", "event_timestamp", "timestamp"),
        "value_frequency_7d": ("count", "basket_id", "int"),
        "value_frequency_this_month": ("count", "basket_id", "int"),
        "value_monetary_7d": ("sum", "sales_value", "float"),
        "value_monetary_this_month": ("sum", "sales_value", "float"),
    }
    assert all(output.feature.where is not None for output in made.values())


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("mean: quantity, default: 0", 0.0),
        ("count: '*', default: 0", 0),
        ("last: channel, default: none", "none"),
        ("last: event_timestamp, default: 1970-01-02", DAY),
        ("top: 2, of: channel, default: [web]", ("web",)),
        ("top: 2, of: price, default: []", ()),
        ("sum: quantity", None),
    ],
)
def test_a_default_has_the_type_of_its_column(feature: str, expected: object) -> None:
    feature = feature.replace("price", "sales_value")
    default = _outputs(f"{{f: {{{feature}}}}}")["f"].default
    assert default == expected
    assert type(default) is type(expected)


def test_a_profile_takes_whole_views_features_and_single_windows() -> None:
    found = specs(
        view("{spend: {sum: sales_value, over: [7d, 30d]}, likes: {top: 3, of: brand}}"),
        "profile: web\nfeatures: [taste: [spend, likes], basics: [orders_30d]]",
        "profile: all\nfeatures: [basics]",
    )
    assert profile_members(found, "web") == {"taste": ("spend_7d", "spend_30d", "likes"), "basics": ("orders_30d",)}
    assert profile_members(found, "all") == {"basics": ("orders_7d", "orders_30d", "channel")}

"""The oracle itself, on cases small enough to check by hand: who checks the others must be checked."""

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from limner.language.models import Encoder, FeatureView, Source
from tests.oracle.cleaning import Row, Table, clean
from tests.oracle.conditions import holds
from tests.oracle.instants import read, to_micros
from tests.oracle.oracle import Oracle
from tests.oracle.texts import measured
from tests.oracle.values import root

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
Q = to_micros(NOON)


def oracle(features: dict[str, Any], rows: list[Row], source: dict[str, Any] | None = None, **more: Table) -> Oracle:
    """An oracle over rows of one user; `ago` (seconds before noon) stands for the event timestamp."""
    rows = [{**row, "user": "u", "ts": NOON - timedelta(seconds=row["ago"])} for row in rows]
    types = dict.fromkeys(sorted({name for row in rows for name in row}), "")
    events = Source.model_validate({"source": "events", "path": "e", "event_timestamp": "ts", **(source or {})})
    dimension = Source.model_validate({"source": "prices", "path": "p", "event_timestamp": "since"})
    view = {"feature_view": "v", "entity": "user", "source": "events", "every": "1h", "features": features}
    return Oracle(
        FeatureView.model_validate(view),
        ["user"],
        {"events": events, "prices": dimension},
        {"events": Table(types, rows), **more},
        encoders={"tiny": Encoder(encoder="tiny", model="m")},
        vector_of=lambda _, text: [float(len(text)), 1.0],
    )


def value(feature: dict[str, Any], rows: list[Row], source: dict[str, Any] | None = None) -> Any:
    """The feature at noon."""
    found = oracle({"f": feature}, rows, source).at(Q, ("u",))
    assert found is not None
    return found["f"]


def test_a_window_holds_its_beginning_and_not_its_end() -> None:
    """Rows at q - w count, rows at q and a microsecond before q - w do not."""
    rows: list[Row] = [{"ago": ago} for ago in (0, 0.000001, 3600, 3600.000001)]
    assert value({"count": "*", "over": "1h"}, rows) == 2


def test_a_row_counts_once_it_is_known() -> None:
    """A lag or a later created timestamp puts it off; an earlier one changes nothing."""
    rows = [{"ago": 10, "made": NOON + timedelta(seconds=s)} for s in (-60, 0, 0.000001)] + [{"ago": 10, "made": None}]
    assert value({"count": "*"}, rows, {"created_timestamp": "made"}) == 3
    assert value({"count": "*"}, [{"ago": 3599}, {"ago": 3600}, {"ago": 3601}], {"lag": "1h"}) == 2


def test_an_entity_that_was_never_seen_has_no_row() -> None:
    """And one that fell silent has one of empty windows."""
    world = oracle({"n": {"count": "*", "over": "1h"}, "m": {"mean": "x", "over": "1h"}}, [{"ago": 7200, "x": 1.0}])
    assert world.at(Q, ("nobody",)) is None
    assert world.at(Q, ("u",)) == {"n": 0, "m": None}
    assert world.at(Q - 7_200_000_000, ("u",)) is None


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ({"count": "*"}, 5),
        ({"count": "x"}, 4),
        ({"count": "s", "distinct": True}, 2),
        ({"distinct": "x"}, 3),
        ({"sum": "x"}, 7.1),
        ({"sum": "x", "where": "s = 'b'"}, 3.0),
        ({"sum": "x", "where": "s = 'zzz'"}, 0),
        ({"mean": "x"}, 7.1 / 4),
        ({"min": "x"}, 1.0),
        ({"max": "s"}, "b"),
        ({"std": "x", "where": "x <= 2"}, 0.5773502691896257),  # of 1, 1, 2: the root of 1/3
        ({"std": "x", "where": "x > 3", "default": -1}, -1),
        ({"first": "x"}, 1.0),
        ({"last": "x"}, 3.1),
        ({"latest": "x"}, None),
        ({"latest": "s", "where": "s is not null"}, "a"),
        ({"top": 1, "of": "s"}, ["a"]),
        ({"top": 9, "of": "x"}, [1.0, 2.0, 3.1]),
        ({"top": 2, "of": "s", "over": "1s", "default": ["none"]}, ["none"]),
        ({"share": "*", "where": "s = 'a'"}, 0.4),
        ({"share": "x", "where": "s = 'b'"}, 3.0 / 7.1),
        ({"share": "x", "where": "s = 'b'", "over": "1s"}, None),
        ({"median": "x"}, 1.5),  # of 1, 1, 2, 3.1
        ({"median": "x", "where": "x > 1"}, 2.55),
        ({"median": "x", "where": "x > 9", "default": 0}, 0),
        ({"quantile": "x", "q": 0}, 1.0),
        ({"quantile": "x", "q": 1}, 3.1),
        (
            {"quantile": "x", "q": 0.9},
            float(Fraction(2) + (Fraction(3.1) - 2) * Fraction(7, 10)),
        ),  # place 2.7 of 0 to 3
        ({"trend": "x", "where": "x < 3"}, 0.0),  # 1, 2, 1 in even steps
        ({"trend": "x", "where": "s = 'b'"}, -8640.0),  # 2 down to 1 in ten seconds
        ({"trend": "x", "where": "x > 3"}, None),
        ({"trend": "x", "as": "ratio", "over": "25s"}, 3.1 / 4.0),  # 3.1 and null after 1, 2, 1
        ({"trend": "*", "as": "ratio", "over": "20s"}, 1.0),
        ({"trend": "*", "as": "ratio", "over": "50s"}, None),
        ({"trend": "*", "as": "ratio", "over": "this_month"}, None),
        ({"mode": "s"}, "a"),
        ({"mode": "x", "where": "x > 1"}, 2.0),
        ({"entropy": "s"}, math.log(2)),
        ({"entropy": "x"}, pytest.approx(0.5 * math.log(2) + 0.5 * math.log(4))),  # 1, 2, 1, 3.1
        ({"entropy": "s", "where": "s = 'a'"}, 0.0),
        ({"entropy": "s", "over": "1s", "default": -1}, -1),
        ({"histogram": "weekday"}, [0, 0, 5, 0, 0, 0, 0]),  # 2024-05-01 is a Wednesday
        ({"histogram": "hour", "share": True}, [0.0] * 11 + [1.0] + [0.0] * 12),
        ({"histogram": "month", "over": "1s"}, [0] * 12),
        ({"histogram": "month", "share": True, "over": "1s"}, None),
        ({"count": "*", "over": "this_month"}, 5),
        ({"count": "*", "over": "last_day"}, 0),
        ({"embed": "{s}", "encoder": "tiny"}, [1.0, 1.0]),
        ({"embed": "{s}", "encoder": "tiny", "prefix": "ab "}, [4.0, 1.0]),
        ({"embed": "{s}", "encoder": "tiny", "languages": ["de"]}, None),
        ({"embed": "{s}", "encoder": "tiny", "languages": ["de", "und"]}, [1.0, 1.0]),
        ({"text": "{s} {s}.", "measure": "words"}, 8 / 5),
        ({"text": "{s} {s}.", "measure": "characters", "pool": "sum"}, 4 * 4 + 1),
        ({"text": "{s} {x}", "measure": "sentences", "pool": "max"}, 1),
        ({"text": "{s}", "measure": "words", "languages": ["zh"]}, None),
        ({"text": "{s}", "measure": "words", "languages": ["zh"], "pool": "sum"}, 0),
        ({"text": "{s}", "measure": "words", "over": "1s", "default": 7}, 7),
        ({"embed": "{s}-{x}", "encoder": "tiny", "pool": {"mean": {"newest": 2}}}, [(5.0 + 1.0) / 2, 1.0]),
        ({"embed": "{s}-{x}", "encoder": "tiny", "pool": {"mean": {"weight": "x", "newest": 1}}}, [5.0, 1.0]),
    ],
)
def test_each_kind_on_five_rows(feature: dict[str, Any], expected: Any) -> None:
    """Nulls are skipped, order is by time, and what a feature's condition refuses it does not see."""
    rows: list[Row] = [
        {"ago": 50, "x": 1.0, "s": "a"},
        {"ago": 40, "x": 2.0, "s": "b"},
        {"ago": 30, "x": 1.0, "s": "b"},
        {"ago": 20, "x": 3.1, "s": "a"},
        {"ago": 10, "x": None, "s": None},
    ]
    if "embed" in feature and feature["embed"] == "{s}-{x}":
        rows[-1]["s"] = ""  # the text is "-"
    assert value(feature, rows) == expected


@pytest.mark.parametrize(
    ("text", "words", "sentences"),
    [
        ("Don't stop. I paid 3.50!", 5, 2),
        ("e.g. so", 3, 2),
        ("我喜欢 tea。好\uff01\uff01", 5, 2),
        ("コーヒー", 4, 1),
        ("cafe\u0301 a-b", 3, 1),
        ("one\ntwo", 2, 2),
        ('He said "Stop." Go', 4, 2),
        ("...", 0, 0),
        ("", None, None),
    ],
)
def test_texts_are_measured(text: str, words: int | None, sentences: int | None) -> None:
    """A small rule each, the same for every script."""
    assert measured("words", text) == words
    assert measured("sentences", text) == sentences


def test_rfm_is_three_features() -> None:
    """The time of the newest row, distinct orders (or rows), and a sum."""
    rows: list[Row] = [{"ago": 50, "x": 1.5, "o": 1}, {"ago": 40, "x": None, "o": 2}, {"ago": 30, "x": 2.0, "o": 2}]
    found = oracle({"f": {"rfm": "x", "orders": "o"}, "g": {"rfm": "x", "over": ["45s", "1s"]}}, rows).at(Q, ("u",))
    newest = NOON - timedelta(seconds=30)
    assert found == {
        "f_recency": newest, "f_frequency": 2, "f_monetary": 3.5, "g_recency_45s": newest, "g_recency_1s": None,
        "g_frequency_45s": 2, "g_frequency_1s": 0, "g_monetary_45s": 2.0, "g_monetary_1s": 0,
    }  # fmt: skip


def test_a_calendar_window_begins_at_local_midnight() -> None:
    """On 2024-05-01 at noon UTC it is 20:00 in Shanghai, and May is 20 hours old; the day before, April's last."""
    rows: list[Row] = [{"ago": 3600 * hours} for hours in (1, 19, 20, 20.1, 44, 44.1)]
    shanghai = {"timezone": "Asia/Shanghai"}
    windows = {"this_month": 3, "this_day": 3, "last_day": 2, "last_month": 3, "this_week": 6, "last_quarter": 0}
    assert {window: value({"count": "*", "over": window}, rows, shanghai) for window in windows} == windows


def test_recency_halves_a_weight_each_half_life() -> None:
    """Counted back from the newest row that counts."""
    rows: list[Row] = [{"ago": 7200, "s": "aaa"}, {"ago": 3600, "s": "b"}]
    half: dict[str, Any] = {"embed": "{s}", "encoder": "tiny", "pool": {"mean": {"half_life": "1h"}}}
    assert value(half, rows) == pytest.approx([(0.5 * 3 + 1) / 1.5, 1.0])


def test_derived_features_on_two_rows() -> None:
    """From the values of the row alone; a fit of one user has no deviation and no range."""
    rows: list[Row] = [{"ago": 7200, "x": 3.0, "s": "a"}, {"ago": 1800, "x": 1.0, "s": "b"}]
    fit = (NOON - timedelta(minutes=30)).isoformat()
    features = {
        "x": {"sum": "x", "over": ["1h", "3h"]},
        "n": {"count": "*", "over": ["3h", "1h"], "hidden": True},
        "s": {"last": "s"},
        "r": {"ratio": ["x", "n"]},
        "e": {"expression": "if(x_3h > x_1h, s, 'none')"},
        "b": {"bucket": "x_3h", "bounds": [2, 4, 9]},
        "o": {"one_hot": "s", "categories": ["a", "b"]},
        "z": {"zscore": "x_3h", "fit": fit},
        "m": {"minmax": "x_3h", "fit": NOON.isoformat()},
        "v": {
            "vector": [{"scalars": ["x"], "scale": "log1p", "weight": 2}, {"categories": "s", "values": ["a", "b"]}],
            "normalize": True,
        },
    }
    found = oracle(features, rows).at(Q, ("u",))
    length = (4 * 0.6931471805599453**2 + 4 * 1.6094379124341003**2 + 1) ** 0.5
    assert found is not None
    vector = found.pop("v")
    assert vector == pytest.approx([1.3862943611 / length, 3.2188758248 / length, 0, 1 / length], abs=1e-7)
    assert found == {
        "x_1h": 1.0, "x_3h": 4.0, "s": "b", "r_1h": 1.0, "r_3h": 2.0, "e": "b", "b": 2, "o": [0.0, 1.0],
        "z": None, "m": None,
    }  # fmt: skip


def test_sums_are_exact() -> None:
    """Whatever the order, one rounding."""
    rows: list[Row] = [{"ago": n + 1, "x": x} for n, x in enumerate([1e300, 1.0, -1e300, 1e-300])]
    assert value({"sum": "x"}, rows) == 1.0
    assert value({"std": "x", "where": "x > 1 or x < 0"}, rows) == pytest.approx(1e300 * 2**0.5)


def test_of_duplicates_the_first_known_stays() -> None:
    """Though it happened later."""
    rows: list[Row] = [
        {"ago": 60, "id": 1, "x": 1.0, "made": NOON - timedelta(seconds=5)},
        {"ago": 30, "id": 1, "x": 2.0, "made": None},
    ]
    source = {"created_timestamp": "made", "clean": {"drop_duplicates": ["id"]}}
    assert value({"first": "x"}, rows, source) == 2.0


def test_local_times_that_happen_twice_or_never() -> None:
    """Twice is the earlier instant; never is the instant at which clocks jump."""
    assert read(datetime(2024, 11, 3, 1, 30), "America/New_York") == datetime(2024, 11, 3, 5, 30, tzinfo=UTC)
    assert read(datetime(2024, 3, 10, 2, 30), "America/New_York") == datetime(2024, 3, 10, 7, tzinfo=UTC)
    assert read(datetime(2024, 3, 10, 3, 0), "America/New_York") == datetime(2024, 3, 10, 7, tzinfo=UTC)
    assert read(datetime(2024, 10, 6, 2, 15), "Australia/Lord_Howe") == datetime(2024, 10, 5, 15, 30, tzinfo=UTC)


def test_a_lookup_in_time_finds_what_held_then() -> None:
    """The newest row of the dimension at or before the row's own instant."""
    prices = [{"id": 1, "cost": cost, "since": NOON - timedelta(seconds=s)} for cost, s in ((1.0, 60), (2.0, 30))]
    rows: list[Row] = [{"ago": ago, "id": 1} for ago in (61, 60, 31, 30)]
    table = Table(dict.fromkeys(["id", "cost", "since"], ""), prices)
    world = oracle({"f": {"sum": "cost"}}, rows, {"lookup": {"prices": "id"}}, prices=table)
    assert [event.row["cost"] for event in world.events] == [None, 1.0, 1.0, 2.0]


def test_rows_that_cannot_be_used_are_counted() -> None:
    """A cast that fails, a number outside its range, a null key: quarantine; `drop` is counted apart."""
    source = Source.model_validate(
        {
            "source": "events",
            "path": "e",
            "clean": {
                "cast": {"n": "int"},
                "range": {"n": {"max": 5}},
                "drop": ["n = 3"],
                "missing": {"n": {"fill": 0}},
            },
        }
    )
    rows = [{"user": user, "n": n} for user, n in (("u", "x"), ("u", "6"), (None, "1"), ("u", "3"), ("u", None))]
    found = clean({"events": Table({"user": "", "n": ""}, rows)}, {"events": source}, "events", ["user"], ["n"])
    assert found.fates == {"quarantined": 3, "dropped": 1, "duplicate": 0}
    assert [event.row["n"] for event in found.events] == [0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n > 1 and not (s = 'b')", True),
        ("n between 1 and 2 or missing", True),
        ("missing = 1 or missing is null", True),
        ("not (missing = 1)", False),
        ("missing in (1, 2)", False),
        ("n not in (1, 3)", True),
        ("n - 1 - 1 = 0 and n * 2 + 1 = 5 and -n % 2 = 0", True),
        ("n / 0 = 1 or n / 4 = 0.5", True),
        ("s like 'it''s%' and length(s) = 6 and lower(s) = 'it''s a'", True),
        ("coalesce(missing, 7) = 7", True),
        ("greatest(n, missing, 1.5) = 2 and least(missing, n) = 2 and greatest(missing, missing) is null", True),
        ("if(missing = 1, 1, 2) = 2 and if(n = 2 or missing, 'a', 'b') = 'a'", True),
        ("ln(1) = 0 and ln(0) is null and sqrt(n * 2) = 2 and exp(0) = 1 and log1p(0) = 0", True),
        ("round(2.5) = 3 and round(-2.5) = -3 and floor(-0.5) = -1 and ceil(1.2) = 2", True),
        ("t >= '2024-05-01T14:00:00+02:00' and t < '2024-05-01T12:00:01'", True),
    ],
)
def test_conditions_have_three_values(text: str, expected: bool) -> None:
    """And only true holds."""
    assert holds(text, {"n": 2, "s": "it's A", "missing": None, "t": NOON}) is expected


DAYS: list[Row] = [{"ago": 86_400 * days, "s": s, "n": n} for days, s, n in [(9, "a", 1), (4, "b", 2), (3, "a", 4)]]


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ({"gap": "mean"}, 3.0),
        ({"gap": "std"}, 8.0**0.5),
        ({"gap": "longest"}, 5.0),
        ({"gap": "shortest"}, 1.0),
        ({"gap": "newest"}, 1.0),
        ({"gap": "median"}, 3.0),
        ({"gap": "std", "over": "4d"}, None),
        ({"gap": "mean", "over": "3d"}, None),
        ({"streak": "longest"}, 2),
        ({"streak": "current", "over": "8d"}, 2),
        ({"streak": "current", "where": "s = 'b'"}, 1),
        ({"streak": "longest", "unit": "week"}, 1),
        ({"streak": "longest", "unit": "month"}, 1),
        ({"streak": "longest", "over": "1d"}, 0),
        ({"sequence": 2, "of": "s"}, ["a", "b"]),
        ({"sequence": 3, "of": "s"}, ["a", "b", "a"]),
        ({"sequence": 3, "of": "s", "distinct": True}, ["a", "b"]),
        ({"sequence": 3, "of": "s", "over": "1d"}, None),
        ({"sum": "n", "by": "s"}, {"a": 5, "b": 2}),
        ({"mean": "n", "by": "s"}, {"a": 2.5, "b": 2.0}),
        ({"count": "*", "by": "s", "over": "1d"}, {}),
        ({"sum": "n", "by": "s", "categories": ["c", "b"], "other": True}, [0, 2, 5]),
        ({"mean": "n", "by": "s", "categories": ["c", "a"]}, [0, 2.5]),
    ],
)
def test_habits_and_categories_by_hand(feature: dict[str, Any], expected: Any) -> None:
    """Days 9, 4 and 3 before noon of Wednesday, 1 May 2024; a day is one of UTC."""
    assert value(feature, DAYS) == expected


def test_the_root_of_a_tie_is_even() -> None:
    """(1 - 1/3) / 2 of the float 1/3 lies in the middle of two floats, as 60 digits cannot tell."""
    third = Fraction(1 / 3)
    assert root(((1 - third) / 2) ** 2) == 0.33333333333333337
    assert root(Fraction(1, 3)) == (1 / 3) ** 0.5
    assert [root(Fraction(n) ** 2) for n in (0, 1, 7)] == [0.0, 1.0, 7.0]

"""A view's identity: all that decides a value counts, and nothing else."""

import pytest
from pydantic import BaseModel

from limner.language.closure import closure, from_closure
from limner.language.feature_base import FeatureBase
from limner.language.features import KINDS
from limner.language.fingerprint import fingerprint
from limner.language.keys import keys
from limner.language.models import Clean, Encoder, FeatureView, Missing, Range, Source, TextCleaning
from limner.language.repo import Specs, load_texts
from tests.language.examples import specs, view

SPEC = """
entity: user
join_keys: {user_id: int, shop: string}
---
source: events
path: data/events.parquet
format: parquet
rename: {a: A}
where: a > 7
partitions: {dt: day}
event_timestamp: ts
created_timestamp: made
timezone: Europe/Berlin
lag: 1h
tie_break: [a]
lookup: {items: [item]}
identity: {links: {device: id}}
clean:
  cast: {a: float}
  text: {title: {unicode: NFC, html: keep, control: keep, whitespace: keep, case: lower, max_chars: 50}}
  missing: {a: {fill: 0}, b: drop}
  range: {b: {min: 0, max: 9, otherwise: clip}}
  quarantine: [a < 0]
  drop: [b = 1]
  drop_duplicates: [a, ts]
---
source: items
path: items.csv
---
source: links
path: links.parquet
event_timestamp: linked
---
source: times
since: 2024-01-01
database: sqlite:///x.db
table: t
---
source: taps
path: taps/*.jsonl
event_timestamp: at
created_timestamp: received
stream: {id: tap, lateness: 1d}
---
feature_view: tapped
entity: user
source: taps
every: event
features: {taps: {count: "*"}}
---
encoder: mini
model: models/mini
---
encoder: midi
model: models/midi
---
feature_view: v
entity: user
source: events
every: 1d
at: "01:00"
timezone: Asia/Tokyo
online: false
owner: me
tags: {team: x}
description: words
features:
  k: {sum: a, by: kind, categories: [x, y], other: true}
  sq: {sequence: 9, of: title, distinct: true, default: [z]}
  g: {gap: mean, default: 1}
  st: {streak: longest, unit: week}
  n: {count: a, distinct: true, over: [7d, 30d, this_month], where: b > 0, default: 1, description: words}
  s: {sum: a, default: 1}
  m: {mean: a, default: 1}
  lo: {min: a, default: 1}
  hi: {max: a, default: 1}
  sd: {std: a, default: 1}
  d: {distinct: a, default: 1}
  f: {first: a, default: 1}
  l: {last: a, default: 1}
  now: {latest: a, default: 1}
  me: {median: a, default: 1}
  qu: {quantile: a, q: 0.9, default: 1}
  tr: {trend: a, as: ratio, over: 7d, default: 1}
  mo: {mode: a, default: 1}
  en: {entropy: a, default: 1}
  hi1: {histogram: hour, share: true}
  r: {rfm: a, orders: b}
  t: {top: 3, of: title, default: [x]}
  sh: {share: a, where: b > 1, default: 1, from: events}
  e: {embed: "{title} {kind}", encoder: mini, over: 30d, pool: {mean: {weight: a, half_life: 7d, newest: 5}}}
  p: {embed: "{title}", encoder: mini, prefix: "query: ", languages: [en, zh]}
  ts: {text: "{kind}", measure: words, pool: max, default: 1}
  tt: {text: "{kind}", measure: tokens, encoder: mini, languages: [de]}
  xp: {expression: "s / (m + 1)", hidden: true}
  ra: {ratio: [s, m]}
  bu: {bucket: s, bounds: [1, 2], labels: [a, b, c]}
  oh: {one_hot: "l", categories: [1, 2], other: true}
  zs: {zscore: s, fit: 2024-01-01}
  mm: {minmax: n, fit: 2024-01-01}
  lp: {log1p: s}
  ha: {hash: s, buckets: 9}
  ve:
    vector: [{scalars: [n], scale: zscore, weight: 2}, {categories: s, values: [1]}, {embedding: e}]
    fit: 2024-01-01
    project: {pca: 2}
    normalize: true
examples: [{rows: {events: [{user_id: 1, shop: x}]}, at: "2026-01-02", expect: {e: 4}}]
---
feature_view: w
entity: user
source: times
every: event
features: {n: {count: "*"}}
---
feature_view: x
entity: user
sources: [events, times]
every: 1d
features: {n: {count: "*", from: events}, m: {count: "*", from: times}}
---
feature_view: y
entity: user
views: [x]
every: 1d
features: {r: {ratio: [x.n, x.m]}, c: {predict: churn}, g: {segment: groups, gives: id}}
---
feature_view: z
entity: user
source: events
every: 1d
features:
  mood: {classify: "{title}", model: mood, languages: [en], as: vector, pool: {mean: {newest: 5}}}
  likes: {interests: "{title} {kind}", model: likes, over: 30d}
---
model: mood
classifier:
  label: {source: events, text: "{title}", column: kind}
  classes: [x, y]
  method: tfidf
cut_off: 2024-01-01
---
model: likes
interests:
  encoder: mini
  texts: {source: events, text: "{title}"}
  tags: {a: {about: one}, b: {about: two}}
cut_off: 2024-01-01
---
feature_view: habitual
entity: user
source: events
every: 1d
features: {state: {encode: habits, over: 30d}, likely: {next: habits, k: 3, over: 30d}}
---
model: habits
entity: user
sequence: {item: kind, from: events, dim: 8}
cut_off: 2024-01-01
---
model: churn
entity: user
propensity:
  features: [x: [n]]
  label: {count: "*", from: events, next: 30d, is: "= 0"}
  every: 7d
cut_off: 2024-01-01
---
model: groups
entity: user
segments: {features: [x: [n, m]]}
cut_off: 2024-01-01
"""
ENCODERS = {"mini": "f1", "midi": "f2"}


def _of(text: str, view: str = "v", encoders: dict[str, str] = ENCODERS) -> str:
    return fingerprint(load_texts({"a.yaml": text}), view, encoders)


def _changed(*pair: str, view: str = "v") -> bool:
    old, new = pair
    assert SPEC.count(old) >= 1, old
    return _of(SPEC.replace(old, new, 1), view) != _of(SPEC, view)


CHANGES = [
    # models.Entity, Source
    ("user_id: int", "user_id: string"),
    ("data/events.parquet", "data/other.parquet"),
    ("format: parquet", "format: csv"),
    ("rename: {a: A}", "rename: {a: AA}"),
    ("rename: {a: A}", "rename: {b: A}"),
    ("where: a > 7", "where: a > 8"),
    ("dt: day", "dt: hour"),
    ("event_timestamp: ts", "event_timestamp: at"),
    ("created_timestamp: made", "created_timestamp: known"),
    ("Europe/Berlin", "UTC"),
    ("lag: 1h", "lag: 2h"),
    ("tie_break: [a]", "tie_break: [b]"),
    ("{items: [item]}", "{items: {item: id}}"),
    ("{links: {device: id}}", "{links: {device: mac}}"),
    ("event_timestamp: linked", "event_timestamp: at"),
    ("links.parquet", "other.parquet"),
    ("path: items.csv", "path: goods.csv"),
    # Clean
    ("cast: {a: float}", "cast: {a: int}"),
    ("unicode: NFC", "unicode: none"),
    ("html: keep", "html: strip"),
    ("control: keep", "control: strip"),
    ("whitespace: keep", "whitespace: collapse"),
    ("case: lower", "case: keep"),
    ("max_chars: 50", "max_chars: 51"),
    ("fill: 0", "fill: 1"),
    ("b: drop", "b: quarantine"),
    ("{min: 0,", "{min: 1,"),
    ("max: 9", "max: 8"),
    ("otherwise: clip", "otherwise: drop"),
    ("[a < 0]", "[a <= 0]"),
    ("[b = 1]", "[]"),
    ("[a, ts]", "[ts]"),
    # FeatureView and features
    ("every: 1d", "every: 2d"),
    ('at: "01:00"', 'at: "02:00"'),
    ("count: a, distinct", "count: b, distinct"),
    ("count: a, distinct: true", "count: a, distinct: false"),
    ("[7d, 30d, this_month]", "[7d, 60d, this_month]"),
    ("[7d, 30d, this_month]", "[168h, 30d, this_month]"),
    ("[7d, 30d, this_month]", "[7d, 30d, last_month]"),
    ("Asia/Tokyo", "Asia/Seoul"),
    ("where: b > 0", "where: b > 2"),
    ("where: b > 0, default: 1", "where: b > 0"),
    ("s: {sum: a", "s: {mean: a"),
    ("by: kind", "by: title"),
    (", categories: [x, y], other: true", ""),
    ("[x, y]", "[y, x]"),
    (", other: true", ""),
    ("sequence: 9", "sequence: 8"),
    ("of: title, distinct: true", "of: kind, distinct: true"),
    ("of: title, distinct: true", "of: title"),
    ("[z]", "[w]"),
    ("gap: mean", "gap: std"),
    ("gap: mean, default: 1", "gap: mean"),
    ("streak: longest", "streak: current"),
    ("unit: week", "unit: day"),
    ("min: a", "min: b"),
    ("max: a", "max: b"),
    ("std: a", "std: b"),
    ("d: {distinct: a", "d: {distinct: b"),
    ("first: a", "first: b"),
    ("last: a", "last: b"),
    ("latest: a", "latest: b"),
    ("median: a", "median: b"),
    ("quantile: a", "quantile: b"),
    ("q: 0.9", "q: 0.8"),
    ("trend: a", "trend: b"),
    ("as: ratio", "as: slope"),
    ("mode: a", "mode: b"),
    ("entropy: a", "entropy: b"),
    ("histogram: hour", "histogram: month"),
    ("hour, share: true", "hour, share: false"),
    ("rfm: a", "rfm: b"),
    (", orders: b", ""),
    ("top: 3", "top: 4"),
    ("of: title", "of: kind"),
    ("[x]", "[y]"),
    ("share: a", 'share: "*"'),
    ("b > 1", "b > 3"),
    ("{title} {kind}", "{kind} {title}"),
    ("encoder: mini, over", "encoder: midi, over"),
    ("over: 30d, pool", "over: 60d, pool"),
    ("weight: a", "weight: b"),
    ("half_life: 7d", "half_life: 8d"),
    ("newest: 5", "newest: 6"),
    ('prefix: "query: "', 'prefix: ""'),
    ("[en, zh]", "[en]"),
    ("measure: words", "measure: sentences"),
    ("pool: max", "pool: min"),
    ('ts: {text: "{kind}"', 'ts: {text: "{title}"'),
    ("measure: words, pool: max, default: 1", "measure: words, pool: max, default: 2"),
    ("measure: tokens, encoder: mini", "measure: tokens, encoder: midi"),
    ("[de]", "[de, und]"),
    ("  sd: {std", "  dev: {std"),
    ("feature_view: v", "feature_view: v2"),
    *(
        (f"  {name}: {{{kind}: a, default: 1}}", f"  {name}: {{{kind}: a, default: 2}}")
        for name, kind in {
            "s": "sum",
            "m": "mean",
            "lo": "min",
            "hi": "max",
            "sd": "std",
            "d": "distinct",
            "f": "first",
            "l": "last",
            "now": "latest",
            "mo": "mode",
            "me": "median",
            "en": "entropy",
        }.items()
    ),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[1][:40])
def test_whatever_decides_a_value_changes_the_fingerprint(change: tuple[str, str]) -> None:
    old, new = change
    assert SPEC.count(old) >= 1
    text = SPEC.replace(old, new, 1)
    name = "v2" if "v2" in new else "v"
    assert _of(text, name) != _of(SPEC)


@pytest.mark.parametrize(
    "change",
    [
        ("sources: [events, times]", "sources: [events, more]"),
        ("{n: {count: \"*\", from: events}, m: {count: \"*\", from: times}}",
         "{n: {count: \"*\", from: times}, m: {count: \"*\", from: events}}"),
        ("path: items.csv", "path: goods.csv"),
        ("table: t", "table: u"),
    ],
    ids=lambda change: change[1][:40],
)  # fmt: skip
def test_so_do_the_sources_of_a_view_and_which_feature_is_from_which(change: tuple[str, str]) -> None:
    text = SPEC.replace(*change)
    if "more" in change[1]:
        text = text.replace("from: times", "from: more") + "---\nsource: more\npath: m.csv\nsince: 2024-01-01\n"
    assert _of(text, "x") != _of(SPEC, "x")


@pytest.mark.parametrize(
    "change",
    [
        ('classify: "{title}"', 'classify: "{kind}"'),
        ("model: mood,", "model: moods,"),
        ("languages: [en], as", "languages: [de], as"),
        ("as: vector", "as: numbers"),
        ("newest: 5}}}", "newest: 6}}}"),
        ("classes: [x, y]", "classes: [y, x]"),
        ('interests: "{title} {kind}"', 'interests: "{title}"'),
        ("model: likes, over: 30d", "model: likes, over: 60d"),
        ("tags: {a:", "tags: {c:"),
    ],
    ids=lambda change: change[1],
)
def test_so_does_what_is_asked_of_models_of_texts(change: tuple[str, str]) -> None:
    text = SPEC.replace(*change)
    if "moods" in change[1]:
        text = text.replace("model: mood\n", "model: moods\n")
    assert text != SPEC
    assert _of(text, "z") != _of(SPEC, "z")


def test_one_source_in_a_list_is_that_source_and_their_order_does_not_count() -> None:
    assert not _changed("sources: [events, times]", "sources: [times, events]", view="x")
    assert not _changed("source: times\nevery: event", "sources: [times]\nevery: event", view="w")
    assert not _changed("where: b > 1, default: 1, from: events", "where: b > 1, default: 1")


@pytest.mark.parametrize(
    "change", [("2024-01-01", "2024-01-02"), ("x.db", "y.db"), ("table: t", "table: u")], ids=lambda change: change[1]
)
def test_so_does_where_a_table_is_and_since(change: tuple[str, str]) -> None:
    assert _changed(*change, view="w")


@pytest.mark.parametrize(
    "change",
    [("k: 3, over: 30d", "k: 4, over: 30d"), ("k: 3, over: 30d", "k: 3, over: 31d"), ("dim: 8", "dim: 9"),
     ("encode: habits, over: 30d", "encode: habits, over: 31d")],
    ids=lambda change: change[1],
)  # fmt: skip
def test_so_does_what_is_asked_of_a_model_of_sequences(change: tuple[str, str]) -> None:
    """What it learns decides by its versions."""
    assert _changed(*change, view="habitual")
    assert not _changed("dim: 8}\ncut_off: 2024-01-01", "dim: 8}\ncut_off: 2024-01-02", view="habitual")


def test_every_key_of_the_models_is_covered_above() -> None:
    """A key that is added to the language must be added to SPEC, and so be decided on here."""
    models: tuple[type[BaseModel], ...] = (FeatureView, Source, Clean, Missing, Range, TextCleaning, *KINDS)
    every = {key for model in models for key in keys(model)}
    assert {key for key in every if f"{key}:" not in SPEC} == set()


@pytest.mark.parametrize(
    "change",
    [
        ("description: words\nfeatures", "description: other\nfeatures"),
        ("default: 1, description: words", "default: 1"),
        ("owner: me", "owner: you"),
        ("user_id: int, shop: string", "shop: string, user_id: int"),
        ("{e: 4}", "{e: 5}"),
        ("team: x", "team: y"),
        ("online: false", "online: true"),
        ("encoder: midi\nmodel: models/midi", "encoder: midi\nmodel: models/other"),
        ("path: items.csv", "path: [items.csv]"),
        ("where: b > 0", "where: (b>0)"),
        ("half_life: 7d", "half_life: 168h"),
        ("[en, zh]", "[zh, en]"),
        ("{items: [item]}", "{items: item}"),
        ("lag: 1h", "lag: 60m"),
        ("where: a > 7", "where: (a>7)"),
        ("sequence: 9, of: title, distinct: true", "of: title, distinct: true, sequence: 9"),
        ("every: 1d\n", "every: 1d  # each day\n"),
        ("user_id: int", "'user_id': int"),
        ("every: 1d", "every: 24h"),
        ("median: a, default: 1", "median: a, default: 1, over: lifetime"),
        ("q: 0.9", "q: 0.90"),
        ("over: 30d, pool: {mean:", "over: 720h, pool: {mean:"),
    ],
    ids=lambda change: change[1][:40],
)
def test_what_decides_no_value_does_not(change: tuple[str, str]) -> None:
    assert not _changed(*change)


@pytest.mark.parametrize("other", ["", "stream: {id: other, lateness: 1d}\n", "stream: {id: tap, lateness: 2d}\n"])
def test_how_events_are_taken_decides_no_value(other: str) -> None:
    """It decides which rows the files get, and values are made of the files."""
    assert not _changed("stream: {id: tap, lateness: 1d}\n", other, view="tapped")


def test_a_zone_that_no_feature_asks_for_does_not_count() -> None:
    silent = SPEC.replace(", this_month]", "]").replace("  hi1: {histogram: hour, share: true}\n", "")
    silent = silent.replace("  st: {streak: longest, unit: week}\n", "")
    assert _of(silent) == _of(silent.replace("Asia/Tokyo", "Asia/Seoul"))


def test_the_order_of_documents_and_of_keys_does_not_count() -> None:
    documents = SPEC.split("---\n")
    assert _of("---\n".join(reversed(documents))) == _of(SPEC)
    assert not _changed("timezone: Europe/Berlin\nlag: 1h", "lag: 1h\ntimezone: Europe/Berlin")


def test_a_default_that_is_spelled_out_is_the_same() -> None:
    assert not _changed("  s: {sum: a, default: 1}", "  s: {sum: a, default: 1, over: lifetime}")
    plain = SPEC.replace("{weight: a, half_life: 7d, newest: 5}", "{}")
    assert _of(plain) == _of(plain.replace("pool: {mean: {}}", "pool: mean"))


def test_the_encoder_counts_by_its_own_fingerprint_where_it_is_used() -> None:
    assert _of(SPEC, encoders={"mini": "other"}) != _of(SPEC)
    assert _of(SPEC, encoders={"mini": "f1", "midi": "other"}) == _of(SPEC)


def test_other_views_do_not_count() -> None:
    assert not _changed("every: event", "every: 1h")


def _all(specs: Specs) -> list[str]:
    return [fingerprint(specs, name, ENCODERS) for name in specs.views]


@pytest.mark.parametrize("name", ["v", "w", "x"])
def test_a_view_comes_back_from_its_closure(name: str) -> None:
    specs = load_texts({"a.yaml": SPEC})
    text = closure(specs, name)
    back = from_closure(text)
    assert back.views == {name: specs.views[name].model_copy(update={"examples": ()})}
    assert back.sources == {key: specs.sources[key] for key in back.sources}
    of = {"v": {"events", "items", "links"}, "w": {"times"}, "x": {"events", "items", "links", "times"}}
    assert set(back.sources) == of[name]
    assert fingerprint(back, name, ENCODERS) == fingerprint(specs, name, ENCODERS)
    assert closure(back, name) == text


def test_an_instant_of_1970_comes_back_from_a_closure() -> None:
    """There it is microseconds, and few of them."""
    features = "\n  spend: {sum: quantity}\n  a: {zscore: spend, fit: 1970-01-01T00:00:01Z}"
    text = closure(specs(view(features)), "taste")
    assert closure(from_closure(text), "taste") == text


def test_a_view_over_views_changes_with_its_members_and_takes_them_along() -> None:
    assert _changed("table: t", "table: u", view="y")
    assert not _changed("{title} {kind}", "{kind} {title}", view="y")
    text = closure(load_texts({"a.yaml": SPEC}), "y")
    back = from_closure(text)
    assert set(back.views) == {"x", "y"}
    assert set(back.sources) >= {"events", "items", "times"}
    assert closure(back, "y") == text
    assert _of(SPEC, "y") == fingerprint(back, "y", ENCODERS)


def test_encoders_outside_a_view_are_not_in_its_closure() -> None:
    assert set(from_closure(closure(load_texts({"a.yaml": SPEC}), "v")).encoders) == {"mini"}


def test_each_kind_is_in_the_spec_above() -> None:
    kinds: tuple[type[FeatureBase], ...] = KINDS
    views = load_texts({"a.yaml": SPEC}).views.values()
    used = {type(feature) for view in views for feature in view.features.values()}
    assert used == set(kinds)
    assert Encoder.model_fields.keys() >= {"pooling", "max_tokens"}

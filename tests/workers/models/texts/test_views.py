"""Features that ask models of texts: their values are those of brute force, whichever way a history is made."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.language.features import Classify
from limner.language.repo import Specs
from limner.workers.history.manifest import History
from limner.workers.ledger import Ledger
from limner.workers.models.drawing import examples
from limner.workers.models.examples import AT
from limner.workers.models.pins import with_pins
from limner.workers.models.texts.scoring import read_head, read_scorer
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.run import materialize
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.scorers import scorer_name
from limner.workers.text.terms import TermsEncode, terms_model
from tests.workers.models.texts.world import DAY, FIRST, TAGS, Review, context, fitted, reviews, specs, text, write

MODEL = """
---
model: stars
entity: user
propensity:
  features: [{voice: [mood_good_60d]}]
  label: {count: stars, from: reviews, next: 7d, is: "> 0"}
  every: 1d
cut_off: 2026-03-22
"""
CUTS = (FIRST + 40 * DAY, FIRST + 60 * DAY + DAY // 2)
BEGIN, END = FIRST + 30 * DAY, FIRST + 80 * DAY


def _plan(found: Specs, root: Path) -> ViewPlan:
    return plan_view(with_pins(found, root, root / "data"), "voice", root, root / "data")


def _run(plan: ViewPlan, begin: int, end: int) -> list[dict[str, Any]]:
    ledger = Ledger(f"sqlite:///{plan.root / 'ledger.db'}")
    try:
        run_id = ledger.start_run("test", ["voice"])
        materialize(plan, begin, end, replace(context(), ledger=ledger, run_id=run_id, shards=2))
    finally:
        ledger.close()
    return _rows(plan)


def _rows(plan: ViewPlan) -> list[dict[str, Any]]:
    history = History(plan.folder / plan.fingerprint)
    tables = [pq.read_table(part.path) for part in history.parts()]
    table = pa.concat_tables(tables)
    found = table.sort_by([(key, "ascending") for key in (*plan.join_keys, "event_timestamp")])
    columns = {name: found[name].to_pylist() for name in found.column_names if name != "event_timestamp"}
    columns["at"] = found["event_timestamp"].cast(pa.int64()).to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _as_of(rows: Sequence[dict[str, Any]], user: int, at: int) -> dict[str, Any] | None:
    mine = [row for row in rows if row["user_id"] == user and row["at"] <= at]
    return max(mine, key=lambda row: row["at"]) if mine else None


class _Truth:
    """What each version says of each text, one text at a time."""

    def __init__(self, root: Path, found: Specs, method: str, versions: dict[str, list[tuple[int, str]]]) -> None:
        data = root / "data"
        encode = TermsEncode(terms_model(found, "counts", data))
        self.versions = versions

        def head(model: str, version: str) -> Any:
            learned = read_head(data, model, version)
            return cache(lambda body: learned.probabilities(encode([body]).vectors)[0].astype(np.float32))

        def mood(version: str) -> Any:
            read = read_scorer(data, "mood", version)
            return cache(lambda body: read([body])[0].astype(np.float32))

        self.say = {
            version: head(model, version) if model == "likes" or method == "head" else mood(version)
            for model, some in versions.items()
            for _, version in some
        }

    def pooled(self, rows: Sequence[Review], model: str, at: int, days: int | None, *, weigh: bool = False) -> Any:
        """The mean over rows known at `at`, of what the version says that speaks then; None without any."""
        speak = [version for cut, version in self.versions[model] if cut <= at]
        some = [row for row in rows if row.written <= at and (days is None or row.at > at - days * DAY - 1)]
        if weigh:
            some = [row for row in some if row.stars > 1]
        if not speak or not some:
            return None
        weights = [row.stars * 0.5 ** ((at - row.at) / (7 * DAY)) if weigh else 1.0 for row in some]
        said = [self.say[speak[-1]](" ".join(row.body.split())).astype(float) for row in some]
        return np.average(said, axis=0, weights=weights)


@pytest.mark.parametrize("method", ["head", "tfidf"])
def test_values_are_what_brute_force_finds(method: str, tmp_path: Path) -> None:
    rows = reviews(count=250)
    write(tmp_path, rows)
    found = specs(tmp_path, text(method))
    versions = {
        "mood": [(cut, fitted(tmp_path, found, cut).version.id) for cut in CUTS],
        "likes": [(CUTS[0], fitted(tmp_path, found, CUTS[0], "likes").version.id)],
    }
    history = _run(_plan(found, tmp_path), BEGIN, END)
    truth = _Truth(tmp_path, found, method, versions)
    checked = 0
    for user in range(1, 16):
        mine = [row for row in rows if row.user == user]
        for at in range(BEGIN, END + 1, DAY):
            row = _as_of(history, user, at)
            if row is None:
                assert not [each for each in mine if each.written < at]
                continue
            for days in (14, 60):
                _same([row[f"mood_bad_{days}d"], row[f"mood_good_{days}d"]], truth.pooled(mine, "mood", at, days))
            _same(row["recent"], truth.pooled(mine, "mood", at, None, weigh=True))
            _same([row[f"likes_{tag}"] for tag in TAGS], truth.pooled(mine, "likes", at, 60))
            checked += row["recent"] is not None
    assert checked > 300


def _same(found: list[float | None] | None, expected: Any) -> None:
    if expected is None:
        assert found is None or found == [None] * len(found)
    else:
        assert found == pytest.approx(expected, abs=2e-6)


def test_a_history_made_in_parts_is_that_of_one_run(tmp_path: Path) -> None:
    """Also where a new version begins to speak in between, and where it says what the earlier one said."""
    found = []
    for name, parts in (("whole", (BEGIN, END)), ("parts", (BEGIN, CUTS[0] + DAY, CUTS[1] - DAY, CUTS[1] + DAY, END))):
        root = tmp_path / name
        write(root, reviews(count=250))
        spec = specs(root, text())
        for cut in CUTS:
            fitted(root, spec, cut)
        fitted(root, spec, CUTS[0], "likes")
        plan = _plan(spec, root)
        for begin, end in pairwise(parts):
            rows = _run(plan, begin, end)
        found.append(rows)
    # A run that goes on writes no rows for those whose values stay.
    assert {tuple(map(str, row.values())) for row in found[1]} == {tuple(map(str, row.values())) for row in found[0]}


def test_values_before_an_instant_do_not_know_what_comes_after_it(tmp_path: Path) -> None:
    rows, cut = reviews(count=250), CUTS[1]
    later = [replace(row, body="awful " + row.body, mood="negative") if row.written > cut else row for row in rows]
    made = []
    for name, some in (("a", rows), ("b", later)):
        root = tmp_path / name
        write(root, some)
        spec = specs(root, text("textcnn"))
        for each in CUTS:
            fitted(root, spec, each)
        made.append([row for row in _run(_plan(spec, root), BEGIN, END) if row["at"] <= cut])
    assert made[0] == made[1]
    assert len(made[0]) > 100


def test_a_number_is_its_place_in_the_vector(tmp_path: Path) -> None:
    write(tmp_path, reviews(count=250))
    spec = text("head").replace(
        "likes: {interests", "both: {classify: '{body}', model: mood, as: vector, over: 14d}\n  likes: {interests"
    )
    found = specs(tmp_path, spec)
    fitted(tmp_path, found, CUTS[0])
    for row in _run(_plan(found, tmp_path), BEGIN, END):
        expected = [None, None] if row["both"] is None else row["both"]
        assert [row["mood_bad_14d"], row["mood_good_14d"]] == expected


def test_before_the_first_version_nobody_speaks(tmp_path: Path) -> None:
    write(tmp_path, reviews(count=100))
    plan = _plan(specs(tmp_path, text()), tmp_path)
    rows = _run(plan, BEGIN, END)
    assert all(row["mood_good_60d"] is None and row["recent"] is None for row in rows)
    assert any(row["texts"] for row in rows)


def test_a_new_version_changes_the_view(tmp_path: Path) -> None:
    write(tmp_path, reviews())
    found = specs(tmp_path, text())
    plans = [_plan(found, tmp_path)]
    for cut in CUTS:
        fitted(tmp_path, found, cut)
        plans.append(_plan(found, tmp_path))
    assert len({plan.fingerprint for plan in plans}) == 3


def test_a_run_asks_only_the_versions_that_speak_in_its_time(tmp_path: Path) -> None:
    """A run over earlier time asks the others; whichever way, the history is that of one run."""
    found = []
    for name, parts in (("whole", [(BEGIN, END)]), ("late", [(CUTS[1] + DAY, END), (BEGIN, END)])):
        root = tmp_path / name
        write(root, reviews(count=250))
        spec = specs(root, text())
        for cut in CUTS:
            fitted(root, spec, cut)
        plan = _plan(spec, root)
        mood = plan.view.features["mood"]
        assert isinstance(mood, Classify)
        first, second = (plan.encoders[scorer_name("mood", pin.version)] for pin in mood.pins)
        for begin, end in parts:
            rows = _run(plan, begin, end)
            sizes = [len(EmbeddingCache(plan.data / "embeddings", each)) for each in (first, second)]
            assert bool(sizes[0]) == (begin == BEGIN)
            assert sizes[1] > 0
        found.append(rows)
    assert found[0] == found[1]


def test_examples_know_what_was_said_at_their_time(tmp_path: Path) -> None:
    """Each has what the version said that spoke at its instant, also where that one speaks no more."""
    write(tmp_path, reviews(count=250))
    spec = specs(tmp_path, text() + MODEL)
    for cut in CUTS:
        fitted(tmp_path, spec, cut)
    found = with_pins(spec, tmp_path, tmp_path / "data")
    _, drawn = examples(found, found.models["stars"], END, tmp_path, tmp_path / "data", context(), tmp_path / "stage")
    table = pa.concat_tables([pq.read_table(each.file) for each in drawn])
    rows = _run(_plan(spec, tmp_path), BEGIN, END)
    checked = set()
    for example in table.to_pylist():
        row = _as_of(rows, example["user_id"], example[AT])
        if example[AT] < BEGIN or row is None:
            continue
        assert example["voice.mood_good_60d"] == row["mood_good_60d"]
        checked.add((example[AT] >= CUTS[1], row["mood_good_60d"] is not None))
    assert {(False, True), (True, True)} <= checked

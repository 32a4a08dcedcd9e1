"""What models of texts say of events as they come is what they say in a run."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from limner.workers.history.manifest import History
from limner.workers.models.pins import with_pins
from limner.workers.online.loading import load, state_of
from limner.workers.online.opening import open_writer
from limner.workers.plan import plan_view
from limner.workers.run import materialize
from limner.workers.stream.choose import Streamed
from limner.workers.stream.events import Raw
from limner.workers.stream.skew import skew
from limner.workers.stream.worker import Worker
from tests.oracle.pipeline import visible
from tests.oracle.worlds import exact
from tests.workers.models.texts.world import DAY, FIRST, Review, context, fitted, reviews, specs, text

CUT, BEGIN = FIRST + 60 * DAY, FIRST + 80 * DAY


def _line(number: int, row: Review, *, written: bool) -> str:
    found = {"id": number, "user_id": row.user, "at": _text(row.at), "body": row.body, "mood": row.mood}
    found |= {"stars": row.stars, **({"written": _text(row.written)} if written else {})}
    return json.dumps(found)


def _text(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1e6, UTC).isoformat(timespec="microseconds")


@pytest.mark.parametrize("method", ["head", "tfidf"])
def test_a_stream_says_what_a_run_says(method: str, tmp_path: Path) -> None:
    """Of models that take vectors, and of those that read texts; of texts never seen before."""
    rows = sorted(reviews(count=200), key=lambda row: row.written)
    before, after = [r for r in rows if r.written <= BEGIN], [r for r in rows if r.written > BEGIN and r.at > BEGIN]
    (tmp_path / "reviews").mkdir()
    lines = [_line(number, row, written=True) for number, row in enumerate(before)]
    (tmp_path / "reviews" / "before.jsonl").write_text("\n".join(lines) + "\n")
    stream = "clean: {cast: {id: int, user_id: int, stars: int}}\nstream: {id: id, lateness: 7d}"
    spec = text(method).replace("reviews/*.parquet\n", f"reviews\nformat: jsonl\n{stream}\n").replace("1d", "event")
    found = specs(tmp_path, spec)
    fitted(tmp_path, found, CUT)
    fitted(tmp_path, found, CUT, "likes")
    found = with_pins(found, tmp_path, tmp_path / "data")
    plan = plan_view(found, "voice", tmp_path, tmp_path / "data")
    history = History(plan.folder / plan.fingerprint)
    context_ = replace(context(), shards=1)
    with open_writer(tmp_path / "online.db") as writer:
        result = materialize(plan, BEGIN - DAY, BEGIN, context_)
        load(writer, plan, result.history, state_of(history), result.latest())
    now = BEGIN
    streamed = Streamed({"voice": plan}, dict(found.sources))
    with Worker(tmp_path, tmp_path / "data", tmp_path / "online.db", streamed, context_, lambda: now) as worker:
        for place in range(0, len(after), 4):
            some = after[place : place + 4]
            now = max(some[-1].written, now + 1)
            lines = [_line(len(before) + place + n, row, written=False) for n, row in enumerate(some)]
            assert worker.step([Raw("reviews", line.encode()) for line in lines]).taken == len(some)
            worker.send()
        assert skew(plan, tmp_path / "online.db", context_, 100, 0).agrees
        assert worker.flush()
    again = replace(plan, data=tmp_path / "again")
    until = history.coverage()
    assert until is not None
    materialize(again, BEGIN - DAY, until[1], context_)
    made = [visible(each, plan.join_keys) for each in (history, History(again.folder / plan.fingerprint))]
    assert len(after) > 20
    assert made[0][1].num_rows > len(after)
    assert [exact(table) for table in made[0]] == [exact(table) for table in made[1]]

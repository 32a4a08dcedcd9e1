"""A run of one view, with its collaborators faked: what is computed again, and why."""

from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes import DIM, FakeEncode

from limner.language.columns import cleaned
from limner.language.durations import parse_instant
from limner.language.fingerprint import fingerprint
from limner.language.outputs import outputs
from limner.language.repo import load_texts
from limner.workers.context import RunContext
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.ledger import Ledger
from limner.workers.plan import ViewPlan
from limner.workers.report import silent
from limner.workers.run import RunResult, materialize
from limner.workers.sources.describe import describe
from limner.workers.tasks import InProcess

SPECS = """
entity: user
join_keys: {user_id: int}
---
source: notes
path: notes.parquet
entity: user
event_timestamp: at
clean: {quarantine: [user_id < 0]}
---
encoder: fake
model: models/fake
---
feature_view: mood
entity: user
source: notes
every: 1d
features:
  notes: {count: "*"}
  mood: {embed: "{text}", encoder: fake}
"""
MODEL = EncoderModel("fake", Path("none"), "mean", 32, True, "", "float32", DIM, "f" * 64)


class Mended(FakeEncode):
    """The encoder after its repair: it reads every text."""

    def __call__(self, texts: Any) -> Any:
        return super().__call__([text.replace("unreadable", "legible") for text in texts])


@pytest.fixture
def plan(tmp_path: Path) -> ViewPlan:
    specs = load_texts({"specs.yaml": SPECS})
    rows = {"user_id": [1, 2, -3], "text": ["glad", "unreadable scrawl", "nobody"], "at": [10**15] * 3}
    table = pa.table(rows)
    pq.write_table(table.set_column(2, "at", table["at"].cast(pa.timestamp("us", "UTC"))), tmp_path / "notes.parquet")
    raw = {"notes": describe(specs.sources["notes"], tmp_path)}
    return ViewPlan(
        specs=specs,
        name="mood",
        raw=raw,
        outputs=outputs(specs.views["mood"], {"notes": cleaned(specs, "notes", raw)}, {"fake": DIM}),
        encoders={"fake": MODEL},
        fingerprint=fingerprint(specs, "mood", {"fake": MODEL.fingerprint}),
        root=tmp_path,
        data=tmp_path / "elsewhere",
    )


def run(plan: ViewPlan, encode: FakeEncode) -> RunResult:
    ledger = Ledger(f"sqlite:///{plan.root / 'ledger.db'}")
    try:
        run_id = ledger.start_run("test", ["mood"])
        context = RunContext(
            workers=InProcess(),
            encode_with=lambda _model: cast("Any", encode),
            reporter=silent,
            ledger=ledger,
            run_id=run_id,
            shards=2,
        )
        result = materialize(plan, parse_instant("2001-09-01"), parse_instant("2001-09-20"), context)
        assert [row.rows for row in ledger.quarantined(run_id)] == [1] * len(ledger.quarantined(run_id))
        return result
    finally:
        ledger.close()


def moods(result: RunResult) -> dict[int, bool]:
    """Whether each user has a vector."""
    rows = [row for batch in result.latest() for row in batch.to_pylist()]
    return {row["user_id"]: row["mood"] is not None for row in rows}


def test_rows_whose_text_failed_are_computed_again_at_the_next_run(plan: ViewPlan, tmp_path: Path) -> None:
    """Not up to date before the text has a vector; up to date then."""
    first = run(plan, FakeEncode(tmp_path / "log"))
    assert moods(first) == {1: True, 2: False}
    assert first.summary["texts_failed"] == 1
    (file,) = (plan.data / "quarantine" / "notes").glob("*-texts.parquet")
    assert pq.read_table(file).to_pylist() == [{"reason": "unreadable", "text": "unreadable scrawl"}]
    second = run(plan, Mended(tmp_path / "log"))
    assert second.reasons == ("some of its texts had failed",)
    assert moods(second) == {1: True, 2: True}
    assert run(plan, Mended(tmp_path / "log")).reasons == ("up to date",)


def test_quarantined_rows_go_where_the_data_go(plan: ViewPlan, tmp_path: Path) -> None:
    """The folder that `batch_engine: data` names holds them too."""
    assert run(plan, FakeEncode(tmp_path / "log")).summary["quarantined"] == {"user_id < 0": 1}
    (file,) = (plan.data / "quarantine" / "notes").glob("*[!s].parquet")
    assert pq.read_table(file)["text"].to_pylist() == ["nobody"]
    assert not (tmp_path / "data").exists()

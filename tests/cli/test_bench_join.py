"""The contenders of `limner bench join` do the same work, and one that takes too long is ended."""

import time
from collections.abc import Callable
from pathlib import Path

from limner.benchmarks import histories
from limner.benchmarks.limited import limited
from limner.benchmarks.point_in_time import duckdb_bare, duckdb_query, limner, unequal


def test_limner_and_duckdb_give_the_same_training_set(tmp_path: Path) -> None:
    """Every row of every view is visible to both; a value that is changed is found."""
    views = histories.views(3000)
    count = histories.entities(3000)
    written = [histories.write_history(tmp_path / "made" / view.name, view, count) for view in views]
    assert abs(sum(written) - 3000) < 300
    entities = histories.entity_rows(500, count)
    job = limner(tmp_path / "limner", tmp_path / "made", views)(entities.to_pandas())
    bare = duckdb_bare(
        duckdb_query(tmp_path / "made", views), entities.to_pandas(), lambda result: result.to_arrow_table()
    )
    ours = job.to_arrow()
    assert len(ours) == 500
    assert ours.column("taste_taste").null_count == 5  # entities that no history knows
    assert unequal(ours, bare) == []
    label = ours.column_names.index("activity_spend_1")
    changed = ours.set_column(label, "activity_spend_1", ours.column("activity_spend_0"))
    assert unequal(changed, bare) == ["activity_spend_1"]


def wait(first: float, then: float) -> Callable[[], float]:
    waits = [then, first]

    def work() -> float:
        time.sleep(waits.pop())
        return 0.5

    return work


def test_work_that_passes_a_limit_is_ended_and_says_so() -> None:
    """The first answer is in time, the second is not, and nobody waits for a third."""
    with limited(wait, 0.0, 60.0, seconds=20, memory=1e12) as work:
        assert work() == 0.5
        work.seconds = 0.3
        assert work() is None
        assert "had not finished after 0 s" in work.why
        assert work() is None
    with limited(wait, "no number", 0.0, seconds=20, memory=1e12) as work:
        assert work() is None
        assert work.why.startswith("failed: TypeError")
    with limited(wait, 60.0, 0.0, seconds=20, memory=1) as work:
        assert work() is None
        assert work.why.startswith("passed 0 GB of memory")

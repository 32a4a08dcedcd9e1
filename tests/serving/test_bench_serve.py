"""`limner bench serve` at a small size: all servers answer alike, and every target has a ratio."""

from pathlib import Path

import pytest

from limner.benchmarks.serve import run

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("serving")]


def test_both_servers_are_measured(tmp_path: Path) -> None:
    """The benchmark itself compares their answers before it asks for times."""
    report = run(tmp_path, profiles=200, reads=20, rounds=1)
    names = [ratio.name for ratio in report.ratios]
    assert [name for name in names if name.startswith("feast serve over limner serve")] == [
        "feast serve over limner serve, Feast's request, 1",
        "feast serve over limner serve, Feast's request, 100",
        "feast serve over limner serve, 8 at once",
    ]
    assert sum("while 1,000 rows a second are written" in name for name in names) == 2
    assert [ratio.name for ratio in report.ratios if ratio.target is None] == [
        "feast serve over its own SQLite store over limner serve, Feast's request, 1",
        "feast serve over its own SQLite store over limner serve, Feast's request, 100",
        "feast serve over limner serve, 8 at once",
    ]

"""A simulation is its options: nothing else decides a byte of it."""

import hashlib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.simulate import files
from limner.simulate.behaviour import behave
from limner.simulate.options import Options
from limner.simulate.rows import Rows
from limner.simulate.run import simulate
from limner.simulate.streams import BLOCK

OPTIONS = Options(shoppers=2 * BLOCK + 100, events=20_000, days=100)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_equal_options_give_equal_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    """Whoever reports a figure can be followed."""
    for name, options in (("a", OPTIONS), ("b", OPTIONS), ("c", replace(OPTIONS, seed=8))):
        simulate(tmp_path / name, options)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    same = digests(tmp_path / "a").items() & digests(tmp_path / "c").items()
    assert {name.split("/")[0] for name, _ in same} == {"specs"}


def test_a_block_does_not_depend_on_what_was_drawn_before_it() -> None:
    """Blocks may be drawn in any order, by anybody."""
    late_first = [behave(OPTIONS, number).rows for number in (2, 1, 0)][::-1]
    for number, rows in enumerate(late_first):
        again = behave(OPTIONS, number).rows
        for field in fields(Rows):
            np.testing.assert_array_equal(getattr(rows, field.name), getattr(again, field.name))


@pytest.mark.parametrize("group", [1, 5_000])
def test_how_much_is_written_together_changes_files_but_no_row(
    group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of a group is a matter of memory."""
    simulate(tmp_path / "whole", OPTIONS)
    monkeypatch.setattr(files, "GROUP", group)
    simulate(tmp_path / "parts", OPTIONS)

    def rows(folder: Path) -> pa.Table:
        keys = [("event_id", "ascending"), ("created_timestamp", "ascending")]
        return pq.read_table(folder / "events").sort_by(keys)

    assert len(list((tmp_path / "parts/events").rglob("*.parquet"))) > len(
        list((tmp_path / "whole/events").rglob("*.parquet"))
    )
    assert rows(tmp_path / "whole").equals(rows(tmp_path / "parts"))
    other = [path for path in digests(tmp_path / "whole") if not path.startswith("events/")]
    assert {digests(tmp_path / "whole")[path] == digests(tmp_path / "parts")[path] for path in other} == {True}

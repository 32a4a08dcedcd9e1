"""The manifest: contiguous coverage, newest computation of an instant wins, one rename switches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.language.errors import LimnerError
from limner.workers.history.manifest import MANIFEST, History, Manifest, Segment
from limner.workers.intervals import missing


def segment(after, until, inputs="a", files=()):
    return Segment(after=after, until=until, inputs=inputs, files=tuple(files))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 10)), min_size=1, max_size=8))
def test_every_instant_belongs_to_the_newest_segment_that_covers_it(runs):
    manifest, newest = Manifest(), {}
    for number, (asked, length) in enumerate(runs):
        start, end = asked, asked + length
        if manifest.coverage is not None:  # what `missing` does: touch the coverage
            start, end = min(start, manifest.coverage[1]), max(end, manifest.coverage[0])
        manifest = manifest.with_segment(segment(start, end, inputs=str(number)), [f"base-{number}"])
        newest |= dict.fromkeys(range(start + 1, end + 1), str(number))
        owners = {}
        for each in manifest.segments:
            assert each.after < each.until
            for instant in range(each.after + 1, each.until + 1):
                assert instant not in owners
                owners[instant] = each.inputs
        assert owners == newest
        assert manifest.coverage == (min(newest) - 1, max(newest))
    assert manifest.base == (f"base-{manifest.segments[0].inputs}",)


def test_a_gap_is_refused():
    with pytest.raises(ValueError, match="gap"):
        Manifest(segments=(segment(0, 5),)).with_segment(segment(6, 9), [])


@given(st.integers(0, 20), st.integers(1, 10), st.integers(0, 20), st.integers(1, 10))
def test_what_is_missing_covers_the_interval_and_touches_the_history(begin, size, start, length):
    manifest = Manifest(segments=(segment(begin, begin + size),))
    found = missing(manifest, start, start + length, "a")
    if found is None:
        assert begin <= start
        assert start + length <= begin + size
        return
    after = manifest.with_segment(segment(found.start, found.end), [])
    assert after.coverage[0] <= start
    assert after.coverage[1] >= start + length
    assert found.base == (found.start <= begin)


def test_rows_of_other_inputs_are_computed_again_and_of_unknown_inputs_always():
    manifest = Manifest(segments=(segment(0, 5, "a"), segment(5, 9, "b")))
    assert missing(manifest, 0, 9, "b").end == 5
    assert missing(manifest, 6, 8, "b") is None
    assert missing(manifest, 6, 8, None).reasons == ("the source cannot tell whether it changed",)


def test_a_commit_removes_what_is_no_longer_visible(tmp_path):
    history = History(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.parquet").write_text(name)
        history.commit(segment(0, 5, files=[f"{name}/0.parquet"]), [])
    assert [part.path.name for part in history.parts()] == ["0.parquet"]
    assert not (tmp_path / "one").exists()


def test_an_unreadable_manifest_says_what_to_do(tmp_path):
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(LimnerError, match="materialize again"):
        History(tmp_path).parts()

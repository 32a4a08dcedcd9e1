"""What `limner bench encode` is fed with is what its figures say."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from limner.benchmarks import encode
from limner.benchmarks.review_rows import review_rows
from limner.cli.main import run
from limner.language.errors import LimnerError

START = datetime(2026, 1, 5, tzinfo=UTC)


def test_three_rows_in_ten_repeat_a_text(tmp_path: Path) -> None:
    rows = review_rows(700, 1, START, 30)
    assert (len(rows), len(set(rows.texts)), set(rows.which)) == (1000, 700, set(range(700)))
    rows.write(tmp_path, files=3)
    written = pq.read_table(tmp_path)
    assert written.num_rows == 1000
    assert len(written["text"].unique()) == 700
    assert written["written_at"].to_pylist()[0] == START


def test_rounds_have_texts_of_their_own_and_the_first_rows_are_the_first() -> None:
    one, two = review_rows(100, 1, START, 30), review_rows(100, 2, START, 30)
    assert not set(one.texts) & set(two.texts)
    few = one.first(20)
    assert [few.texts[number] for number in few.which] == [one.texts[number] for number in one.which[:20]]
    assert len(few.texts) == len(set(few.which))


def test_an_unknown_device_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "encode", "--device", "tpu"]) == 1
    assert "expected auto, cpu or gpu" in capsys.readouterr().err


def test_an_unknown_precision_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "encode", "--precision", "int4"]) == 1
    assert "expected auto, float32, bfloat16, float16, int8" in capsys.readouterr().err


def test_a_gpu_is_refused_where_there_is_none_or_its_engine_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is installed or started, with what helps."""
    monkeypatch.setattr(encode, "gpu", lambda: None)
    with pytest.raises(LimnerError, match="no NVIDIA GPU"):
        encode.run(tmp_path, root=tmp_path, device="gpu")
    monkeypatch.setattr(encode, "gpu", lambda: "1 x Some Card")
    with pytest.raises(LimnerError, match="limner triton install --torch"):
        encode.run(tmp_path, root=tmp_path, device="gpu")
    assert not list(tmp_path.iterdir())

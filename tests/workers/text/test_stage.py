"""Staging the texts still to encode."""

from pathlib import Path

import pyarrow as pa
import pytest
from fakes import digests_of, write_texts

from limner.workers.text.stage import chunk_rows, stage, wanted_digests


def read(path: Path) -> list[str]:
    with pa.OSFile(str(path)) as source:
        texts: list[str] = pa.ipc.open_file(source).read_all().column("text").to_pylist()
    return texts


@pytest.mark.parametrize(
    ("texts", "rows"), [(0, 512), (1, 512), (16_385, 768), (20_000, 768), (131_072, 4096), (10**7, 4096)]
)
def test_chunks_are_whole_requests_neither_tiny_nor_huge(texts: int, rows: int) -> None:
    """About 32 chunks where there is enough to do, each a multiple of 256 texts, 512 to 4,096."""
    assert chunk_rows(texts) == rows


def test_each_missing_text_is_staged_once_longest_first(tmp_path: Path) -> None:
    """Sorted over all files together, repeats between files removed, known texts left out."""
    first = write_texts(tmp_path / "a.parquet", [f"{'x' * (row % 40)} {row}" for row in range(900)])
    second = write_texts(tmp_path / "b'[0-9]*?.parquet", [f"{'x' * (row % 40)} {row}" for row in range(600, 1500)])
    known = ["x 1", " 40", "never wanted"]
    wanted = sorted(set(wanted_digests([first, second]).to_pylist()) - set(digests_of(known).to_pylist()))
    chunks = [read(path) for path in stage([first, second], pa.array(wanted, pa.binary(16)), tmp_path / "work")]
    assert [len(chunk) for chunk in chunks] == [512, 512, 1500 - 2 - 1024]
    texts = [text for chunk in chunks for text in chunk]
    assert sorted(texts) == sorted({f"{'x' * (row % 40)} {row}" for row in range(1500)} - set(known))
    assert [len(text) for text in texts] == sorted(map(len, texts), reverse=True)


def test_the_same_texts_are_cut_the_same_way(tmp_path: Path) -> None:
    """Whatever the order of files and rows: a repeated run sends the same chunks."""
    texts = [f"{'y' * (row % 7)}{row}" for row in range(2000)]
    forward = [write_texts(tmp_path / "1.parquet", texts[:1200]), write_texts(tmp_path / "2.parquet", texts[1000:])]
    backward = [write_texts(tmp_path / "3.parquet", texts[::-1])]
    missing = digests_of(texts)
    cuts = [[read(p) for p in stage(files, missing, tmp_path / f"w{len(files)}")] for files in (forward, backward)]
    assert cuts[0] == cuts[1]

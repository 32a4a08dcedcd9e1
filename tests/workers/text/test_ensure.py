"""Every wanted text has an embedding, and no text is encoded twice."""

import multiprocessing
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeEncode, FakeEncoded, FakeModel, digest_of, digests_of, vector_of, write_texts
from text_processes import ensure_at_once

from limner.workers.report import TextsEncoded
from limner.workers.tasks import InProcess
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.ensure import EnsureResult, ensure

MODEL = FakeModel()


class NoWorkers:
    """A cluster that must not be used."""

    cpus = 1

    def map(self, task: Any, items: Iterable[Any], **_options: Any) -> Generator[Any, None, None]:
        raise AssertionError("the cluster was used")


def test_each_text_is_sent_once_over_files_and_runs(tmp_path: Path) -> None:
    """Repeats within a run and texts of earlier runs never reach the encoder again."""
    cache, encode = EmbeddingCache(tmp_path / "cache", MODEL), FakeEncode(tmp_path / "log")
    first = write_texts(tmp_path / "1.parquet", [f"text {n}" for n in range(700)])
    second = write_texts(tmp_path / "2.parquet", [f"text {n}" for n in range(500, 1300)])
    assert ensure([first, second], cache, encode, InProcess()) == EnsureResult(known=0, encoded=1300)
    third = write_texts(tmp_path / "3.parquet", [f"text {n}" for n in range(1290, 1310)])
    assert ensure([first, third], cache, encode, InProcess()) == EnsureResult(known=710, encoded=10)
    assert Counter(encode.sent()) == Counter(f"text {n}" for n in range(1310))
    texts = ["text 1309", "text 0"]
    np.testing.assert_array_equal(cache.load(digests_of(texts)), [vector_of(text) for text in texts])


def test_where_all_is_known_nothing_is_contacted(tmp_path: Path) -> None:
    """Neither the encoder nor the cluster: a run without new text works while Triton is down."""
    files = [write_texts(tmp_path / "1.parquet", ["a", "b"])]
    encode = FakeEncode(tmp_path / "log")
    ensure(files, EmbeddingCache(tmp_path / "cache", MODEL), encode, InProcess())
    before = encode.lines()
    events: list[Any] = []
    cache = EmbeddingCache(tmp_path / "cache", MODEL)
    assert ensure(files, cache, encode, NoWorkers(), events.append).known == 2
    assert ensure([], cache, encode, NoWorkers()) == EnsureResult(known=0, encoded=0)
    assert encode.lines() == before
    assert events == [TextsEncoded("fake", done=0, total=0, known=2)]


def test_a_failed_text_is_reported_never_stored_and_tried_again(tmp_path: Path) -> None:
    """Its neighbours get their vectors; it has a reason, and another chance at the next run."""
    cache, encode = EmbeddingCache(tmp_path / "cache", MODEL), FakeEncode(tmp_path / "log")
    files = [write_texts(tmp_path / "1.parquet", ["good", "unreadable", "fine"])]
    failed = {digest_of("unreadable"): "unreadable"}
    assert ensure(files, cache, encode, InProcess()) == EnsureResult(known=0, encoded=2, failed=failed)
    assert ensure(files, cache, encode, InProcess()) == EnsureResult(known=2, encoded=0, failed=failed)
    assert len(cache) == 2


def test_what_was_encoded_before_a_failure_stays(tmp_path: Path) -> None:
    """The longest chunk is done when the next one breaks; the run that follows encodes only the rest."""
    cache, encode = EmbeddingCache(tmp_path / "cache", MODEL), FakeEncode(tmp_path / "log")
    long = [f"{'long ' * 9}{n}" for n in range(512)]
    files = [write_texts(tmp_path / "1.parquet", [*long, "broken"])]
    with pytest.raises(ConnectionError):
        ensure(files, cache, encode, InProcess())
    files = [write_texts(tmp_path / "1.parquet", [*long, "mended"])]
    assert ensure(files, cache, encode, InProcess()) == EnsureResult(known=512, encoded=1)
    assert Counter(encode.sent()) == Counter([*long, "mended"])


def test_a_run_that_broke_goes_on_with_the_same_chunks(tmp_path: Path) -> None:
    """Each chunk holds the texts it would have held in an undisturbed run, beside what is new."""
    texts = [f"{'and ' * (number % 11)}{number}" for number in range(2000)]
    files = [write_texts(tmp_path / "1.parquet", texts)]
    smooth = Chunks(tmp_path / "smooth")
    ensure(files, EmbeddingCache(tmp_path / "undisturbed", MODEL), smooth, InProcess())
    for broken_at in (1, 2, 3):
        rough = Chunks(tmp_path / f"rough {broken_at}", broken_at)
        folder = tmp_path / f"disturbed {broken_at}"
        with pytest.raises(ConnectionError):
            ensure(files, EmbeddingCache(folder, MODEL), rough, InProcess())
        more = write_texts(tmp_path / "2.parquet", ["new", "newer"])
        ensure([*files, more], EmbeddingCache(folder, MODEL), rough, InProcess())
        assert rough.chunks == [*smooth.chunks, ["newer", "new"]]
        left = sorted(path.name[:5] for path in (folder / MODEL.fingerprint).iterdir())
        assert left == [".lock", *["part-"] * 5]


def test_staged_chunks_of_another_run_are_dropped(tmp_path: Path) -> None:
    """A text that is not wanted any more, or is known by now, is not encoded because it once was staged."""
    cache = EmbeddingCache(tmp_path / "cache", MODEL)
    encode = FakeEncode(tmp_path / "log")
    with pytest.raises(ConnectionError):
        ensure([write_texts(tmp_path / "1.parquet", ["broken", "stale"])], cache, encode, InProcess())
    (cache.folder / ".half.tmp").touch()
    (cache.folder / ".work" / ".half").mkdir()
    ensure([write_texts(tmp_path / "1.parquet", ["stale", "fresh"])], cache, encode, InProcess())
    assert encode.sent() == ["fresh", "stale"]
    assert sorted(path.name[:5] for path in cache.folder.iterdir()) == [".lock", "part-"]


class Chunks:
    """Remembers which texts came together; breaks down once, before the chunk numbered `broken_at`."""

    def __init__(self, log: Path, broken_at: int | None = None) -> None:
        self.encode = FakeEncode(log)
        self.broken_at = broken_at
        self.chunks: list[list[str]] = []

    def check(self) -> None:
        """All is well."""

    def __call__(self, texts: Sequence[str]) -> FakeEncoded:
        if len(self.chunks) == self.broken_at:
            self.broken_at = None
            raise ConnectionError("the encoder is broken")
        self.chunks.append(list(texts))
        return self.encode(texts)


def test_progress_counts_up_to_the_texts_that_were_missing(tmp_path: Path) -> None:
    """One event at the beginning, one a chunk; `done` ends at `total`."""
    events: list[Any] = []
    files = [write_texts(tmp_path / "1.parquet", [f"text {n}" for n in range(1200)])]
    cache = EmbeddingCache(tmp_path / "cache", MODEL)
    ensure(files, cache, FakeEncode(tmp_path / "log"), InProcess(), events.append)
    assert [(each.encoder, each.done, each.total, each.known) for each in events] == [
        ("fake", done, 1200, 0) for done in (0, 512, 1024, 1200)
    ]
    assert (events[0].characters, events[-1].characters) == (0, sum(len(f"text {n}") for n in range(1200)))


def test_two_runs_at_once_encode_each_text_once(tmp_path: Path) -> None:
    """The second waits for the first, and then finds its texts known."""
    texts = [f"text {n}" for n in range(3000)]
    write_texts(tmp_path / "1.parquet", texts)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    runs = [context.Process(target=ensure_at_once, args=(tmp_path, start)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0]
    assert Counter(FakeEncode(tmp_path / "log").sent()) == Counter(texts)

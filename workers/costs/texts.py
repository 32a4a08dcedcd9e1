"""How many distinct texts of a view have no vector yet: exactly for small sources, from a sample for large ones.

Counting cleans and writes out the texts as a run does, in a process of its own that is given a few seconds.
"""

import math
import multiprocessing
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from limner.language.errors import LimnerError
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.plan import ViewPlan
from limner.workers.reading import Reading
from limner.workers.text.models import AnyEncoder

EXACT_ROWS = 300_000  # sources of up to so many rows are counted whole
SAMPLE_ROWS = 200_000  # of larger ones so many rows are looked at
SECONDS = 10.0  # for all views of a plan
_TOKENIZED = 500  # texts


@dataclass(frozen=True)
class Ask:
    """The texts of `plan` known at `until` (µs UTC); `rows` is how many rows each of its sources has."""

    plan: ViewPlan
    until: int
    rows: Mapping[str, float]


@dataclass(frozen=True)
class Texts:
    """Distinct texts for one encoder, and of those that have no vector: number, characters, tokens (None: not known).

    `about`: from a sample of `sampled` rows. `digests` are those of the missing texts, 16 bytes each, if exact.
    """

    encoder: str
    distinct: float
    missing: float
    characters: float
    tokens: float | None
    about: bool = False
    sampled: int = 0
    digests: bytes = b""


def count_texts(asks: Sequence[Ask], seconds: float = SECONDS) -> list[list[Texts] | str]:
    """The texts of each ask, by encoder; or why they are not known."""
    if not asks:
        return []
    answers: list[list[Texts] | str] = []
    why = f"counting its texts took more than {seconds:.0f} s"
    # The folder is this process's: the other one may be killed before it has cleaned up.
    with tempfile.TemporaryDirectory(prefix="limner-plan-") as folder:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(list(asks), folder, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            import time

            end = time.monotonic() + seconds
            while len(answers) < len(asks) and ours.poll(max(0.0, end - time.monotonic())):
                answers.append(ours.recv())
        except EOFError:
            why = "counting its texts ended too early"
        finally:
            process.kill()
            process.join()
            ours.close()
    return answers + [why] * (len(asks) - len(answers))


def _work(asks: list[Ask], folder: str, answer: Connection) -> None:
    for ask in asks:
        try:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                answer.send(_count(ask, Path(place)))
        except Exception as error:  # noqa: BLE001 - an estimate: what is wrong with one view's texts is said in its place
            answer.send(str(error).partition("\n")[0])


@dataclass
class _Read:
    """Files of distinct texts, and of rows by digest column, made from one row in `scale` of a source."""

    scale: float
    files: list[Path] = field(default_factory=list)
    rows: list[tuple[Path, str]] = field(default_factory=list)


def _count(ask: Ask, folder: Path) -> list[Texts]:
    from limner.workers.sources.prepare import prepare

    plan = ask.plan
    found: dict[str, list[_Read]] = {}
    for number, reading in enumerate(each for each in plan.readings if each.texts):
        place = folder / str(number)
        (place / "stage").mkdir(parents=True)
        request, scale = _request(ask, reading, place), 1.0
        if ask.rows[reading.source] > EXACT_ROWS:
            request, scale = _sampled(request, place), ask.rows[reading.source] / SAMPLE_ROWS
        prepared = prepare(request)
        here: dict[str, _Read] = {}
        for column, (_, encoder) in reading.texts.items():
            read = here.setdefault(encoder, _Read(scale))
            read.files.append(prepared.texts[column])
            read.rows += [(shard, column) for shard in prepared.shards]
        for encoder, read in here.items():
            found.setdefault(encoder, []).append(read)
    return [_of_encoder(plan, plan.encoders[name], reads) for name, reads in found.items()]


def _of_encoder(plan: ViewPlan, model: AnyEncoder, reads: Sequence[_Read]) -> Texts:
    """A text of several sources counts once where all of them were read whole."""
    if all(read.scale == 1 for read in reads):
        return _texts(plan, model, [file for read in reads for file in read.files], (), 1.0)
    parts = [_texts(plan, model, read.files, read.rows, read.scale) for read in reads]
    tokens = [part.tokens for part in parts if part.tokens is not None]
    return Texts(
        encoder=model.name,
        distinct=sum(part.distinct for part in parts),
        missing=sum(part.missing for part in parts),
        characters=sum(part.characters for part in parts),
        tokens=sum(tokens) if len(tokens) == len(parts) else None,
        about=True,
        sampled=SAMPLE_ROWS,
    )


def _request(ask: Ask, reading: Reading, place: Path) -> Any:
    from limner.workers.sources.prepare import PrepareRequest

    plan = ask.plan
    return PrepareRequest(
        specs=plan.specs,
        source=reading.source,
        join_keys=plan.join_keys,
        columns=(),
        raw=plan.raw,
        texts={column: text for column, (text, _) in reading.texts.items()},
        lower=None,
        known_after=ask.until,  # nothing is new: nothing is counted as quarantined
        until=ask.until,
        total_order=False,
        shards=1,
        root=plan.root,
        stage=place / "stage",
        run_id="plan",
        memory_limit="500MB",
        data=place,
    )


def _sampled(request: Any, place: Path) -> Any:
    """The request over a random sample of its source's raw rows, the same at every plan."""
    from limner.workers.sources.duck import connection
    from limner.workers.sources.file_scan import FileTable, physical_types
    from limner.workers.sources.files import found
    from limner.workers.sql import literal

    source = request.specs.sources[request.source]
    if source.database is not None:
        raise LimnerError(f"{source.source} is a table of more than {EXACT_ROWS:,} rows")
    target = place / "sample.parquet"
    with connection(None) as database:
        files = found(source, request.root)
        table = FileTable(database, source, physical_types(database, source, files)).sql(files)
        sample = f"USING SAMPLE reservoir({SAMPLE_ROWS} ROWS) REPEATABLE (1)"
        query = f"SELECT * FROM {table} {sample}"
        database.execute(f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet)")
    sources = {
        **request.specs.sources,
        source.source: source.model_copy(update={"path": str(target), "format": "parquet", "partitions": {}}),
    }
    return replace(request, specs=replace(request.specs, sources=sources))


def _texts(
    plan: ViewPlan, model: AnyEncoder, files: Sequence[Path], rows: Sequence[tuple[Path, str]], scale: float
) -> Texts:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from limner.workers.text.cache import EmbeddingCache
    from limner.workers.text.index import DIGEST

    table = pa.concat_tables([pq.read_table(file, columns=["digest", "text"]) for file in files])
    digests = table.column("digest").combine_chunks().cast(DIGEST)
    missing = EmbeddingCache(plan.data / "embeddings", model).missing(digests)
    chosen = table.filter(pc.is_in(digests, value_set=missing))
    chosen = chosen.group_by("digest").aggregate([("text", "min")]).sort_by("digest")
    texts = chosen.column("text_min")
    characters = float(pc.sum(pc.utf8_length(texts)).as_py() or 0)
    tokens = _tokens(model, texts.slice(0, _TOKENIZED).to_pylist())  # the least digests: a random choice
    distinct = float(len(pc.unique(digests)))
    if scale > 1:
        seen = pa.chunked_array([
            chunk.cast(DIGEST)
            for shard, column in rows
            for chunk in pq.read_table(shard, columns=[column]).column(column).drop_null().chunks
        ], DIGEST)  # fmt: skip
        many = _estimated(seen, missing, scale) / max(len(missing), 1)
        distinct = _estimated(seen, pc.unique(seen), scale)
    else:
        many = 1.0
    return Texts(
        encoder=model.name,
        distinct=distinct,
        missing=len(missing) * many,
        characters=characters * many,
        tokens=None if tokens is None else tokens * len(missing) * many,
        about=scale > 1,
        sampled=SAMPLE_ROWS if scale > 1 else 0,
        digests=b"" if scale > 1 else b"".join(missing.to_pylist()),
    )


def _estimated(seen: Any, among: Any, scale: float) -> float:
    """Distinct values in all rows, from a sample of 1/`scale` of them.

    The guaranteed-error estimator: values met once count sqrt(scale) times, the others once (Charikar et al.: Towards
    estimation error guarantees for distinct values, PODS 2000).
    """
    import pyarrow.compute as pc

    counts = pc.value_counts(seen.filter(pc.is_in(seen, value_set=among))).field("counts")
    once = pc.sum(pc.equal(counts, 1)).as_py() or 0
    return math.sqrt(scale) * once + (len(counts) - once)


def _tokens(model: AnyEncoder, texts: Sequence[str]) -> float | None:
    """Tokens a text, cut as the encoder cuts them; None where there is no tokenizer to ask."""
    if not isinstance(model, EncoderModel):
        return None
    file = model.folder / "tokenizer.json"
    if not texts or not file.is_file():
        return 0.0 if not texts else None
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001 (it raises nothing finer; a run will say what is wrong with the file)
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lengths = [min(len(encoding.ids), model.max_tokens) for encoding in tokenizer.encode_batch(list(texts))]
    return sum(lengths) / len(lengths)

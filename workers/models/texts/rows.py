"""The texts that a version learns from: those of rows known by its cut-off, each once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.language.learning.classifier import Classifier
from limner.language.learning.document import LearnedModel
from limner.language.repo import Specs
from limner.language.scalars import Scalar
from limner.workers.context import RunContext
from limner.workers.derive.values import Array
from limner.workers.models.texts.scoring import TEXT
from limner.workers.sources.describe import describe
from limner.workers.sources.prepare import Prepared, PrepareRequest, prepare
from limner.workers.sources.request import RowText
from limner.workers.windows.entities import KNOWN

MOST = 200_000
"""At most so many texts are learned from: of more, those whose digest is least."""


@dataclass(frozen=True)
class Texts:
    """Distinct texts, by when they were first known, then by digest. All arrays have shape [texts].

    `digest`: 16 bytes each; `known`: µs; `label`: place of the class, -1 where there is none.
    """

    digest: pa.Array
    text: list[str]
    known: Array
    label: Array

    def __len__(self) -> int:
        return len(self.text)

    def of(self, mask: Array) -> "Texts":
        """Some of them."""
        chosen = np.flatnonzero(mask)
        texts = [self.text[each] for each in chosen]
        return Texts(self.digest.take(pa.array(chosen)), texts, self.known[mask], self.label[mask])

    @property
    def mixed(self) -> bool:
        """Whether there is something to tell apart."""
        return len(np.unique(self.label)) > 1

    @cached_property
    def identity(self) -> str:
        """sha256 (hex) of all of them."""
        found = hashlib.sha256()
        for digest, known, label in zip(self.digest.to_pylist(), self.known, self.label, strict=True):
            found.update(
                digest + int(known).to_bytes(8, "big", signed=True) + int(label).to_bytes(4, "big", signed=True)
            )
        return found.hexdigest()


def request_of(
    specs: Specs, model: LearnedModel, cut_off: int, prefix: str, root: Path, data: Path, stage: Path,
    context: RunContext,
) -> PrepareRequest:  # fmt: skip
    """What is read: the texts of rows known by the cut-off, and their labels."""
    texts = model.texts
    assert texts is not None
    ((_, source, text),) = texts.reads
    columns = (texts.label.column,) if isinstance(texts, Classifier) else ()
    wanted = (source, *specs.sources[source].others)
    return PrepareRequest(
        specs=specs,
        source=source,
        join_keys=(),
        columns=columns,
        raw={each: describe(specs.sources[each], root) for each in wanted},
        texts={TEXT: RowText(text, prefix)},
        lower=None,
        known_after=cut_off,  # none is new: rows that are bad are counted where a view reads them
        until=cut_off,
        total_order=False,
        shards=1,
        root=root,
        stage=stage,
        run_id=context.run_id,
        memory_limit=context.memory_limit,
        data=data,
    )


def staged(request: PrepareRequest, context: RunContext) -> Prepared:
    """Read and clean the rows, in a worker process."""
    request.stage.mkdir(parents=True, exist_ok=True)
    (found,) = context.workers.map(prepare, [request])
    return found


def read_texts(rows: Path, texts: Path, kind: Classifier | None, since: int | None) -> tuple[Texts, int]:
    """The texts of staged rows known after `since` (µs), and how many rows have one.

    A text is known since its first row, and has the label that most of its rows have; of several, the first class.
    Without a `kind` there are no labels.
    """
    table = pq.read_table(rows)
    table = table.filter(pc.is_valid(table[TEXT]))
    if since is not None:
        table = table.filter(pc.greater(table[KNOWN], since))
    label = np.full(len(table), -1)
    if kind is not None:
        label = labels(table[kind.label.column], kind.values)
        table, label = table.filter(pa.array(label >= 0)), label[label >= 0]
    counts = pa.table({"digest": table[TEXT].cast(pa.binary()), "known": table[KNOWN], "label": pa.array(label)})
    by = counts.group_by(["digest", "label"]).aggregate([("known", "min"), ("known", "count")])
    by = by.sort_by([("digest", "ascending"), ("known_count", "descending"), ("label", "ascending")])
    first = by.group_by("digest", use_threads=False).aggregate([("label", "first"), ("known_min", "min")])
    first = first.sort_by("digest").slice(0, MOST)
    first = first.sort_by([("known_min_min", "ascending"), ("digest", "ascending")])
    written = pq.read_table(texts)
    place = pc.index_in(first["digest"].combine_chunks(), written["digest"].combine_chunks().cast(pa.binary()))
    return (
        Texts(
            digest=first["digest"].combine_chunks().cast(pa.binary(16)),
            text=written["text"].take(place).to_pylist(),
            known=np.asarray(first["known_min_min"].to_numpy(), np.int64),
            label=np.asarray(first["label_first"].to_numpy(), np.int64),
        ),
        len(table),
    )


def labels(column: pa.ChunkedArray, values: Mapping[str, Sequence[Scalar]]) -> Array:
    """[rows] the place of the class that each label means; -1 where none does."""
    found = np.full(len(column), -1)
    for place, meaning in enumerate(values.values()):
        wanted = pa.array(list(meaning)).cast(column.type)
        found[np.asarray(pc.is_in(column, value_set=wanted))] = place
    return found

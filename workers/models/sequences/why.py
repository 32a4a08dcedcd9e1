"""Which rows moved a feature that a model of sequences makes: what it would be without each of them."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.language.features import Encode, NextItems, OfSequence
from limner.workers.models.sequences.fixed import Array
from limner.workers.models.sequences.learned import Encoder, behaving
from limner.workers.models.served import instant_of, named, rows_of, served
from limner.workers.models.why import key_of
from limner.workers.windows.behaviour import likeliest
from limner.workers.windows.column import Ints
from limner.workers.windows.entities import TIME

KINDS = (Encode, NextItems)


@dataclass(frozen=True)
class RowPart:
    """One row that is read. `time`: when it happened, µs; `words`: what is read of it, by column.

    `moves`: of `encode` how far the state is from what it would be without the row; of `next` the probability of the
    likeliest item, minus what it would be.
    """

    time: int
    words: dict[str, Any]
    moves: float


@dataclass(frozen=True)
class RowsBehind:
    """A value as of `instant` (µs), and the rows it is made of, the one that moves it most first.

    `about`: the likeliest item, whose probability rows move; empty where they move a state.
    """

    view: str
    feature: str
    model: str
    version: str
    cut_off: int
    instant: int
    about: str
    value: Any
    rows: tuple[RowPart, ...]


def names(root: Path, data: Path) -> list[str]:
    """What can be asked about: `view.output` of all that is served and made by a model of sequences."""
    return [f"{plan.name}.{output.name}" for plan, output in served(root, data, KINDS)]


def rows_behind(root: Path, data: Path, key: str, feature: str) -> RowsBehind | None:
    """Explain what is served of one entity; None where no model of sequences makes a feature of this name.

    It reads the entity's rows once more. LimnerError where nothing is known of the entity.
    """
    found = named(root, data, KINDS, feature)
    if found is None:
        return None
    plan, output = found
    asked, instant = output.feature, instant_of(plan)
    assert isinstance(asked, OfSequence)
    said = behaving(asked, data, instant)
    if not said.versions:
        raise LimnerError(f"model {asked.model} says nothing yet: fit it, `limner apply`, and materialize")
    encoder = said.encoder(len(said.versions) - 1)
    with tempfile.TemporaryDirectory(prefix="limner-why-") as folder:
        keys = key_of(plan.specs.entities[plan.view.entity].join_keys, key)
        rows, _ = rows_of(plan, output, keys, instant, folder)
    rows = rows.filter(rows[asked.columns_read[0]].is_valid())
    rows = rows.slice(max(0, len(rows) - asked.length))
    if not len(rows):
        raise LimnerError(f"{output.name} of {key} is made of no row: there is none in its window")
    states = _states(encoder, rows)
    about, value, moves = _next(asked, encoder, states) if isinstance(asked, NextItems) else _state(states)
    columns = {name: rows[name].to_pylist() for name in asked.columns_read}
    parts = [
        RowPart(time, {name: values[place] for name, values in columns.items()}, float(moves[place]))
        for place, time in enumerate(rows[TIME].to_pylist())
    ]
    return RowsBehind(
        view=plan.name,
        feature=output.name,
        model=asked.model,
        version=said.versions[-1][1],
        cut_off=said.versions[-1][0],
        instant=instant,
        about=about,
        value=value,
        rows=tuple(sorted(parts, key=lambda part: (-abs(part.moves), -part.time))),
    )


def _states(encoder: Encoder, rows: pa.Table) -> Array:
    """[rows + 1, dim] the state after all rows, then without each of them; of no row it is 0."""
    every = np.arange(len(rows))
    without = every[None, :-1] + (every[None, :-1] >= every[:, None])
    lists: Ints = np.full((len(rows) + 1, len(rows)), -1)
    lists[0], lists[1:, :-1] = every, without
    time = np.asarray(rows[TIME].to_numpy(), np.int64)
    read, length = encoder.read(encoder.rows(rows), time, lists)
    states = np.zeros((len(lists), encoder.content.dim))
    states[length > 0] = encoder.states(read[length > 0], length[length > 0])
    return states


def _state(states: Array) -> tuple[str, Any, Array]:
    moves: Array = np.sqrt(((states[1:] - states[0]) ** 2).sum(axis=1))
    return "", states[0].tolist(), moves


def _next(asked: NextItems, encoder: Encoder, states: Array) -> tuple[str, Any, Array]:
    share = encoder.network.probabilities(states)[:, 1:]
    (best,) = likeliest(share[:1], asked.k)
    value = {encoder.items[place]: float(share[0, place]) for place in best}
    return encoder.items[best[0]], value, share[0, best[0]] - share[1:, best[0]]

"""What was learned of sequences, as data: words in `model.json`, numbers in `arrays.safetensors`, no code."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from limner.language.errors import LimnerError
from limner.language.features import OfSequence
from limner.workers.models.sequences.gru import Gru
from limner.workers.models.sequences.network import Network, Weights
from limner.workers.models.sequences.transformer import Transformer
from limner.workers.models.sequences.vocabulary import GAPS, START, gaps, places, texts
from limner.workers.models.versions import LEARNED, VERSION, Version, folder_of
from limner.workers.windows.column import Ints

ARRAYS = "arrays.safetensors"


NETWORKS: dict[str, Callable[[Weights, int], Network]] = {"gru": Gru.of, "transformer": Transformer.of}


class Content(BaseModel):
    """A version's words: those of the item, then those of each further column, and how many rows it reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["gru", "transformer"]
    columns: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    length: Annotated[int, Field(ge=1)]
    dim: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Encoder:
    """A version, ready to read sequences."""

    content: Content
    network: Network

    @property
    def items(self) -> tuple[str, ...]:
        """The items that have a score of their own, in order; the score before theirs is that of any other one."""
        return self.content.words[0]

    def rows(self, table: pa.Table) -> Ints:
        """[rows, columns] what is read of each row by itself."""
        return self.places(tuple(texts(table[name]) for name in self.content.columns))

    def places(self, columns: Sequence[pa.Array]) -> Ints:
        """As `rows`, of the texts of its columns."""
        pairs = zip(columns, self.content.words, strict=True)
        return np.stack([places(each, words) for each, words in pairs], axis=1)

    def read(self, rows: Ints, time: Ints, sequences: Ints) -> tuple[Ints, Ints]:
        """What is read of each of `sequences`, and their lengths: as `Network.states` takes them.

        `sequences` [sequences, rows] are places in `rows` and in their `time` (µs), oldest first; -1 ends one.
        """
        length = (sequences >= 0).sum(axis=1)
        there = np.maximum(sequences[:, : int(length.max(initial=0))], 0)
        gap = np.full(there.shape, START)
        gap[:, 1:] = gaps(np.maximum(time[there[:, 1:]] - time[there[:, :-1]], 0))
        return np.concatenate([rows[there], gap[:, :, None]], axis=2), length

    def states(self, read: Ints, length: Ints) -> npt.NDArray[np.float64]:
        """[sequences, dim] of what `read` gave; equal sequences are read once."""
        inside = np.arange(read.shape[1])[None, :, None] < length[:, None, None]
        flat = np.ascontiguousarray(np.where(inside, read, -1).reshape(len(read), -1).astype(np.int32))
        if not flat.shape[1]:
            return np.zeros((len(read), self.network.dim))
        whole = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).reshape(-1)
        _, first, again = np.unique(whole, return_index=True, return_inverse=True)
        found: npt.NDArray[np.float64] = self.network.states(read[first], length[first])[again.reshape(-1)]
        return found


def encoder(content: Content, arrays: Weights) -> Encoder:
    """A version of its words and numbers; ValueError where they do not fit together."""
    network = NETWORKS[content.kind](arrays, len(content.columns) + 1)
    sizes = [*(len(words) + 2 for words in content.words), GAPS]
    if len(content.words) != len(content.columns) or [len(each) for each in network.read] != sizes:
        raise ValueError("there is not a vector for each word")
    if isinstance(network, Transformer) and len(network.place) != content.length:
        raise ValueError("there is not a vector for each place")
    if network.dim != content.dim or len(network.out_bias) != len(content.words[0]) + 1:
        raise ValueError("its arrays are not of the size it says")
    return Encoder(content, network)


def files(content: Content, arrays: Weights) -> dict[str, bytes]:
    """A version's files, by name."""
    from safetensors.numpy import save

    laid = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}  # it writes memory as it lies
    return {LEARNED: content.model_dump_json(indent=1).encode(), ARRAYS: save(laid)}


@lru_cache(maxsize=16)
def read_encoder(data: Path, model: str, version: str) -> Encoder:
    """What a version learned. LimnerError where it is gone, or is not what was registered."""
    from safetensors.numpy import load

    folder = folder_of(data, model) / version
    try:
        said = Version.model_validate_json((folder / VERSION).read_bytes()).files
        found = {name: (folder / name).read_bytes() for name in (LEARNED, ARRAYS)}
        for name, bytes_ in found.items():
            if hashlib.sha256(bytes_).hexdigest() != said[name]:
                raise ValueError(f"the bytes of {name} are not those that were registered")
        return encoder(Content.model_validate_json(found[LEARNED]), load(found[ARRAYS]))
    except (OSError, ValueError, KeyError) as error:
        raise LimnerError(
            f"version {version} of model {model} cannot be read ({error}): restore {folder}, or remove it, then "
            f"`limner fit {model}` as of its cut-off, `limner plan` and `limner apply`"
        ) from error


@dataclass(frozen=True)
class Behaving:
    """The versions of a model of sequences by rising cut-off (µs); a worker reads them where they are needed."""

    data: Path
    model: str
    versions: tuple[tuple[int, str], ...]

    def encoder(self, place: int) -> Encoder:
        """One of them. LimnerError as `read_encoder`."""
        return read_encoder(self.data, self.model, self.versions[place][1])


def behaving(feature: OfSequence, data: Path, until: int) -> Behaving:
    """The versions that a feature was applied with and that speak by `until` (µs). LimnerError where one is gone."""
    pins = [pin for pin in feature.pins if pin.cut_off <= until]
    found = Behaving(data, feature.model, tuple((pin.cut_off, pin.version) for pin in pins))
    for place, pin in enumerate(pins):
        content = found.encoder(place).content
        if (content.columns, content.length, content.dim) != (feature.columns_read, feature.length, feature.dim):
            raise LimnerError(f"version {pin.version} of model {feature.model} reads other columns: restore it")
    return found


def contents(names: Mapping[str, bytes]) -> dict[str, str]:
    """The sha256 (hex) of each file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in names.items()}

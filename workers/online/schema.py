"""What an online table holds (join keys, columns, the fingerprint behind them), and how a key becomes bytes."""

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.online.pack import Column, Layout

if TYPE_CHECKING:
    from limner.language.models import KeyType

_INT = struct.Struct(">q")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class ViewSchema:
    """The shape of one view at one fingerprint. `keys`: the join keys as the entity declares them, in order."""

    view: str
    fingerprint: str
    keys: "tuple[tuple[str, KeyType], ...]"
    columns: tuple[Column, ...]

    @cached_property
    def layout(self) -> Layout:
        """Where the columns lie in a packed value."""
        return Layout(self.columns)

    def to_json(self) -> str:
        """Text that `from_json` reads back."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    @lru_cache(maxsize=256)  # a reader meets the same few again and again
    def from_json(cls, text: str) -> "ViewSchema":
        """The schema a text describes."""
        raw = json.loads(text)
        return cls(
            raw["view"],
            raw["fingerprint"],
            tuple((name, kind) for name, kind in raw["keys"]),
            tuple(Column(**column) for column in raw["columns"]),
        )

    def encode(self, key: Sequence[Any]) -> bytes:
        """One entity's join-key values, in the order of `keys`, as bytes.

        Digits are accepted for an integer key, as a command line gives them; LimnerError for anything else.
        """
        if len(key) != len(self.keys):
            names = ", ".join(name for name, _ in self.keys)
            raise LimnerError(f"view {self.view!r} is keyed by {names}: give {len(self.keys)} value(s), not {len(key)}")
        return b"".join([self._part(value, name, kind) for value, (name, kind) in zip(key, self.keys, strict=True)])

    def _part(self, value: Any, name: str, kind: "KeyType") -> bytes:
        if kind == "string":
            if not isinstance(value, str):
                raise LimnerError(f"join key {name!r} of view {self.view!r} is a string, not {value!r}")
            data = value.encode()
            return _LENGTH.pack(len(data)) + data
        try:
            if isinstance(value, float | bool):
                raise TypeError
            return _INT.pack(int(value) if isinstance(value, str) else index(value))
        except (TypeError, ValueError, struct.error):
            raise LimnerError(f"join key {name!r} of view {self.view!r} is an integer, not {value!r}") from None

    @cached_property
    def simple(self) -> bool:
        """Whether the key is one integer."""
        return len(self.keys) == 1 and self.keys[0][1] == "int"

    def encode_simple(self, keys: Sequence[Any]) -> list[bytes] | None:
        """The keys of a simple view, as `encode` gives them; None where some are no plain 64-bit integers."""
        if set(map(type, keys)) != {int}:
            return None
        try:
            whole = struct.pack(f">{len(keys)}q", *keys)
        except struct.error:
            return None
        return [whole[at : at + 8] for at in range(0, len(whole), 8)]

    def encode_table(self, table: pa.Table | pa.RecordBatch) -> list[bytes]:
        """The keys of a table's rows."""
        columns = [table.column(name).to_pylist() for name, _ in self.keys]
        simple = self.encode_simple(columns[0]) if self.simple else None
        return simple if simple is not None else [self.encode(key) for key in zip(*columns, strict=True)]

    def decode(self, key: bytes) -> tuple[Any, ...]:
        """The join-key values of an encoded key."""
        values: list[Any] = []
        at = 0
        for _, kind in self.keys:
            if kind == "int":
                values.append(_INT.unpack_from(key, at)[0])
                at += 8
            else:
                (length,) = _LENGTH.unpack_from(key, at)
                values.append(key[at + 4 : at + 4 + length].decode())
                at += 4 + length
        return tuple(values)

    def key_columns(self, encoded: Sequence[bytes]) -> dict[str, pa.Array]:
        """Join-key columns of encoded keys."""
        if self.simple:
            keys = np.frombuffer(b"".join(encoded), dtype=">i8").astype(np.int64)
            return {self.keys[0][0]: pa.array(keys)}
        return self.key_arrays(map(self.decode, encoded))

    def key_arrays(self, keys: Iterable[Sequence[Any]]) -> dict[str, pa.Array]:
        """Join-key columns of an answer."""
        rows = list(keys)
        return {
            name: pa.array([row[position] for row in rows], pa.int64() if kind == "int" else pa.string())
            for position, (name, kind) in enumerate(self.keys)
        }

"""The head of an Arrow IPC message that holds one record batch.

A flatbuffer of a fixed shape: its tables have fixed places, and only two lists have a length. Sources:
https://arrow.apache.org/docs/format/Columnar.html (Encapsulated message format; Message.fbs),
https://flatbuffers.dev/internals.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

Words = np.ndarray[Any, np.dtype[np.int64]]
Pair = tuple[int, int]
_START = struct.Struct(
    "<Ii"  # that a message follows; bytes of its metadata, which begin here
    "I"  # where the table Message is
    "6H"  # its vtable: bytes of this, bytes of the table, then where that has version, header_type, header, bodyLength
    "iIqhBx"  # Message: back to its vtable, header, bodyLength, version, header_type
    "5Hxx"  # vtable of RecordBatch: as above, for length, nodes, buffers
    "iIqI"  # RecordBatch: back to its vtable, nodes, length, buffers
    "I"  # how many nodes
)
_V5, _RECORD_BATCH = 4, 3
BODY_LENGTH = 4  # the word that has the bytes of the body


def head(rows: int, nodes: Sequence[Pair], buffers: Sequence[Pair]) -> Words:
    """The words before the body. A node has rows and nulls; a buffer its offset in the body and its bytes."""
    listed = 16 * len(nodes)
    start = _START.pack(
        *(0xFFFFFFFF, _START.size + listed + 16 * len(buffers), 16),
        *(12, 20, 16, 18, 4, 8),
        *(12, 28, 0, _V5, _RECORD_BATCH),
        *(10, 20, 8, 4, 16),
        *(12, 16, rows, 12 + listed),
        len(nodes),
    )
    flat = [number for pair in nodes for number in pair], [number for pair in buffers for number in pair]
    lists = struct.pack(f"<{len(flat[0])}q4xI{len(flat[1])}q", *flat[0], len(buffers), *flat[1])
    return np.frombuffer(start + lists, dtype=np.int64)


def nulls_at(node: int) -> int:
    """The word of a node's nulls."""
    return _START.size // 8 + 2 * node + 1


def buffer_at(nodes: int, buffer: int) -> int:
    """The first of the two words of a buffer, after so many nodes."""
    return _START.size // 8 + 2 * nodes + 1 + 2 * buffer

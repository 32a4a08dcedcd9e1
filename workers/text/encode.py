"""How a worker process turns texts into vectors: Triton, behind a protocol small enough for a fake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from limner.workers.encoder.resolve import EncoderModel
from limner.workers.encoder.settings import TritonSettings
from limner.workers.text.models import AnyEncoder
from limner.workers.text.scorers import ScorerEncode, TextScorer, served
from limner.workers.text.terms import TermsEncode, TermsModel

if TYPE_CHECKING:
    from limner.workers.encoder.client import TritonEncoder


class Encoded(Protocol):
    """Vectors float32 [n, dim] in the order of the texts; why some texts have none, by their position."""

    @property
    def vectors(self) -> npt.NDArray[np.float32]: ...  # noqa: D102
    @property
    def failures(self) -> Mapping[int, str]: ...  # noqa: D102


class Encode(Protocol):
    """Encodes texts. It travels to worker processes, so it must pickle."""

    def check(self) -> None:
        """Raise LimnerError if texts cannot be encoded now; called once before any work is handed out."""
        ...

    def __call__(self, texts: Sequence[str]) -> Encoded:
        """Encode texts, in this order."""
        ...


@dataclass(frozen=True)
class TritonEncode:
    """Encodes with a Triton server; a worker process keeps one connection for all its tasks."""

    settings: TritonSettings
    model: EncoderModel

    def check(self) -> None:
        """Make a real inference, and compare the served model's fingerprint with the spec's."""
        _client(self.settings, self.model).check()

    def __call__(self, texts: Sequence[str]) -> Encoded:
        """Encode texts, in this order."""
        return _client(self.settings, self.model).encode(texts)

    def device(self) -> str:
        """Where the server runs this encoder: gpu, cpu, or "" where it does not say."""
        return _client(self.settings, self.model).device()


@runtime_checkable
class OnDevice(Protocol):
    """An encoder that can tell where it runs."""

    def device(self) -> str: ...  # noqa: D102


def encode_with(settings: TritonSettings, model: AnyEncoder) -> Encode:
    """What encodes with a model: Triton, or this process where terms are counted or texts classified."""
    if isinstance(model, TextScorer):
        network = served(model)
        return ScorerEncode(model) if network is None else TritonEncode(settings, network)
    return TermsEncode(model) if isinstance(model, TermsModel) else TritonEncode(settings, model)


@lru_cache(maxsize=4)
def _client(settings: TritonSettings, model: EncoderModel) -> "TritonEncoder":
    from limner.workers.encoder.client import TritonEncoder

    return TritonEncoder(settings, model)

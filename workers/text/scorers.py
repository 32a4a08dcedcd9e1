"""Versions of models of texts as encoders: the vector of a text is the probability of each class."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from limner.language.feature_base import FeatureBase
from limner.language.features import Scored
from limner.workers.encoder.resolve import EncoderModel


@dataclass(frozen=True)
class TextScorer:
    """One version of a model of texts.

    `base`: the encoder whose vectors it takes; its own are then made where they are wanted. None: it reads texts, and
    its vectors are kept as those of other encoders are.
    """

    model: str
    version: str
    dim: int
    data: Path
    base: str | None = None
    prefix: str = ""

    @property
    def name(self) -> str:
        """What it is called among encoders."""
        return scorer_name(self.model, self.version)

    @property
    def fingerprint(self) -> str:
        """Sha256 (hex): a version never changes."""
        return hashlib.sha256(self.name.encode()).hexdigest()


def scorer_name(model: str, version: str) -> str:
    """What a version is called among encoders: no encoder can have such a name."""
    return f"{model}@{version}"


def scorers(features: Iterable[FeatureBase], data: Path, prefixes: Mapping[str, str]) -> dict[str, TextScorer]:
    """The versions that features ask, by name; `prefixes` by encoder."""
    found = [
        TextScorer(
            feature.model,
            pin.version,
            len(feature.classes),
            data,
            feature.encoder,
            prefixes[feature.encoder] if feature.encoder is not None else "",
        )
        for feature in features
        if isinstance(feature, Scored)
        for pin in feature.pins
    ]
    return {each.name: each for each in found}


def served_name(model: str, version: str) -> str:
    """What a version is called by a server: no encoder can have such a name."""
    return f"{model}.{version}"


def served(scorer: TextScorer) -> EncoderModel | None:
    """The model that a server runs for a version; None where it is asked in this process. LimnerError as `check`."""
    from limner.workers.models.texts.learned import Tuned
    from limner.workers.models.texts.scoring import read_content
    from limner.workers.models.texts.served import served_model
    from limner.workers.models.versions import folder_of

    if scorer.base is not None:
        return None
    learned, _ = read_content(scorer.data, scorer.model, scorer.version)
    if not isinstance(learned, Tuned):
        return None
    return served_model(learned, scorer, folder_of(scorer.data, scorer.model) / scorer.version)


@dataclass(frozen=True)
class Scores:
    """Vectors float32 [n, classes]; no text fails."""

    vectors: npt.NDArray[np.float32]
    failures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScorerEncode:
    """Scores texts in this process. A vector depends on its own text alone, to the last bit."""

    scorer: TextScorer

    def check(self) -> None:
        """Read the version; LimnerError where it is gone, or is not what was registered."""
        self([])

    def __call__(self, texts: Sequence[str]) -> Scores:
        """Score texts, in this order."""
        from limner.workers.models.texts.scoring import read_scorer

        read = read_scorer(self.scorer.data, self.scorer.model, self.scorer.version)
        if not texts:
            return Scores(np.zeros((0, self.scorer.dim), np.float32))
        return Scores(read(texts).astype(np.float32))


def scored(scorer: TextScorer, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[n, classes] of its encoder's vectors [n, dim]. LimnerError as `check`."""
    from limner.workers.models.texts.scoring import read_head

    head = read_head(scorer.data, scorer.model, scorer.version)
    return head.probabilities(vectors).astype(np.float32)

"""Versions that a server runs: what it is to load, and which of them the specs need."""

from pathlib import Path

from limner.language.repo import Specs
from limner.workers.encoder.resolve import EncoderModel, digest
from limner.workers.models.pins import pins_of
from limner.workers.models.texts.learned import Tuned
from limner.workers.text.scorers import TextScorer, served, served_name


def served_model(learned: Tuned, scorer: TextScorer, folder: Path) -> EncoderModel:
    """A tuned version as a server's model: its vectors are the probabilities of the classes."""
    return EncoderModel(
        name=served_name(scorer.model, scorer.version),
        folder=folder,
        pooling=learned.pooling,
        max_tokens=learned.max_tokens,
        normalize=False,
        prefix="",
        precision=learned.precision,
        dim=len(learned.classes),
        fingerprint=scorer.fingerprint,
        files=digest({"version": scorer.name}),
        on_demand=True,
    )


def needed(specs: Specs, root: Path, data: Path) -> dict[str, tuple[EncoderModel, ...]]:
    """By model whose encoder was tuned, the versions that speak, the newest first. LimnerError where one is gone."""
    found = {}
    for name, model in specs.models.items():
        classifier = model.classifier
        if classifier is None or classifier.tune is None:
            continue
        scorers = [
            TextScorer(name, pin.version, len(classifier.names), data) for pin in pins_of(specs, name, root, data)
        ]
        models = [served(each) for each in reversed(scorers)]
        found[name] = tuple(each for each in models if each is not None)
    return found

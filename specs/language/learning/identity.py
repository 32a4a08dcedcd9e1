"""The identity of a model's definition: versions of one definition speak together, in turn."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from limner.language.canonical import canonical
from limner.language.fingerprint import NOT_VALUES, fingerprint, source_identity
from limner.language.learning import Classifier, TextKind
from limner.language.learning.binding import inputs_of, read_by
from limner.language.learning.sequence import SequenceEncoder
from limner.language.repo import Specs

SEMANTICS = 1
"""Raised when the same spec starts to learn something else: earlier versions then do not count any more."""

TEXTS = 1
"""The same for models of texts."""
SEQUENCES = 1
"""The same for models of sequences."""


def definition(specs: Specs, name: str, encoder_fingerprints: Mapping[str, str]) -> str:
    """sha256 (hex) of all that decides what is learned as of a cut-off: what is read, asked and done, and the seed.

    The views that are read count by their fingerprints. Neither `cut_off` nor `refit` counts: they say when.
    """
    model = specs.models[name]
    if model.texts is not None:
        return _digest(_of_texts(specs, name, model.texts, encoder_fingerprints) | {"seed": model.seed})
    if model.sequence is not None:
        return _digest(_of_sequences(specs, name, model.sequence) | {"seed": model.seed})
    learns = model.learns
    identity = {
        "semantics": SEMANTICS,
        "model": name,
        "kind": learns.kind,
        "entity": dict(specs.entities[model.about].join_keys),
        "inputs": inputs_of(model, specs.views),
        "views": {view: fingerprint(specs, view, encoder_fingerprints) for view in read_by(model, specs.views)},
        "learns": canonical(learns, without=NOT_VALUES | {"features"}),
        "sources": {key: source_identity(specs, query.from_) for key, query in learns.queries},
        "seed": model.seed,
    }
    return _digest(identity)


def _of_texts(specs: Specs, name: str, texts: TextKind, encoder_fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Spelling of sources and encoders aside, everything that is written decides, but the truth of interests."""
    learns = canonical(texts, without=frozenset({"source", "encoder", "classes", "tags", "truth"}))
    if isinstance(texts, Classifier) and texts.tuning is not None:
        learns["tune"] = canonical(texts.tuning) | texts.tuning.chosen
    named = texts.values if isinstance(texts, Classifier) else texts.tags
    return {
        "semantics": TEXTS,
        "model": name,
        "kind": texts.kind,
        "learns": learns,
        "classes": [[each, canonical(named[each])] for each in texts.names],
        "encoder": None if texts.encoder is None else encoder_fingerprints[texts.encoder],
        "sources": [source_identity(specs, source) for _, source, _ in texts.reads],
    }


def _of_sequences(specs: Specs, name: str, learns: SequenceEncoder) -> dict[str, Any]:
    return {
        "semantics": SEQUENCES,
        "model": name,
        "kind": learns.kind,
        "entity": dict(specs.entities[specs.models[name].about].join_keys),
        "learns": canonical(learns, without=frozenset({"from"})),
        "source": source_identity(specs, learns.from_),
    }


def _digest(identity: dict[str, Any]) -> str:
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()

"""The identity of a model's definition: versions of one definition speak together, in turn."""

import hashlib
import json
from collections.abc import Mapping

from limner.language.canonical import canonical
from limner.language.fingerprint import NOT_VALUES, fingerprint, source_identity
from limner.language.learning.binding import inputs_of, read_by
from limner.language.repo import Specs

SEMANTICS = 1
"""Raised when the same spec starts to learn something else: earlier versions then do not count any more."""


def definition(specs: Specs, name: str, encoder_fingerprints: Mapping[str, str]) -> str:
    """sha256 (hex) of all that decides what is learned as of a cut-off: what is read, asked and done, and the seed.

    The views that are read count by their fingerprints. Neither `cut_off` nor `refit` counts: they say when.
    """
    model = specs.models[name]
    learns = model.learns
    identity = {
        "semantics": SEMANTICS,
        "model": name,
        "kind": learns.kind,
        "entity": dict(specs.entities[model.entity].join_keys),
        "inputs": inputs_of(model, specs.views),
        "views": {view: fingerprint(specs, view, encoder_fingerprints) for view in read_by(model, specs.views)},
        "learns": canonical(learns, without=NOT_VALUES | {"features"}),
        "sources": {key: source_identity(specs, query.from_) for key, query in learns.queries},
        "seed": model.seed,
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()

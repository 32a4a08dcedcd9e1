"""The identity of a feature view: equal fingerprints mean equal values from equal rows."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from limner.language.canonical import canonical
from limner.language.features import OfSequence, Scored, encoders_of
from limner.language.learning.binding import models_of
from limner.language.models import Encoder, Source
from limner.language.outputs import local_zone, output_names
from limner.language.repo import Specs
from limner.language.term_encoders import Learning

SEMANTICS = 1
"""Raised when the same spec starts to mean other values: every history is then rebuilt."""

TERMS = 1
"""The same for the vectors of encoders that count terms."""

NOT_VALUES = frozenset({"description", "owner", "tags", "online"})
_LATER = ("rename", "partitions")
_FEATURE = NOT_VALUES | {"from", "hidden"}  # what is hidden is not among the outputs


def fingerprint(specs: Specs, view_name: str, encoder_fingerprints: Mapping[str, str]) -> str:
    """sha256 (hex) of all that decides a view's values: its features, entity, grid, sources with lookups and
    cleaning, the encoders it uses by their own fingerprints (`encoder_fingerprints`, by encoder name), and the versions
    of the models it asks.

    Spelling, the order of keys and of sources, comments, descriptions, owner, tags, `online` and other documents do
    not count.
    """
    view = specs.views[view_name]
    identity: dict[str, Any] = {
        "semantics": SEMANTICS,
        "view": view_name,
        "grid": canonical(view.grid),
        "entity": dict(specs.entities[view.entity].join_keys),
        "outputs": sorted(output_names(view)),
        "features": {name: canonical(feature, without=_FEATURE) for name, feature in view.features.items()},
        "encoders": {name: encoder_fingerprints[name] for name in encoders_of(view.features.values())},
    }
    if any(feature.zoned for feature in view.features.values()):
        identity["timezone"] = local_zone(specs, view)
    pins = {name: [[p.cut_off, p.version] for p in specs.models[name].versions] for name in models_of(view)}
    if pins:
        identity["models"] = pins
    classes = {name: each.classes for name, each in view.features.items() if isinstance(each, Scored)}
    if classes:
        identity["classes"] = classes
    sequences = {name: each.dim for name, each in view.features.items() if isinstance(each, OfSequence)}
    if sequences:
        identity["sequences"] = sequences
    if view.views:
        identity["views"] = {name: fingerprint(specs, name, encoder_fingerprints) for name in view.views}
    elif len(view.reads) == 1:
        identity |= source_identity(specs, view.reads[0])
    else:
        identity["sources"] = {name: source_identity(specs, name) for name in view.reads}
        identity["from"] = {name: view.source_of(feature) for name, feature in view.features.items()}
    return _digest(identity)


def source_identity(specs: Specs, name: str) -> dict[str, Any]:
    """All that decides a source's cleaned rows, as JSON data: its own keys, its lookups and theirs."""
    source = specs.sources[name]
    lookups = {name: [sorted(source.lookup_pairs(name)), _source(specs.sources[name])] for name in source.lookup}
    found: dict[str, Any] = {"source": _source(source), "lookups": lookups}
    if source.identity:
        found["identity"] = {
            name: [sorted(source.identity_pairs(name)), _source(specs.sources[name])] for name in source.identity
        }
    return found


def terms_identity(specs: Specs, encoder: Encoder) -> str:
    """sha256 (hex) of all that decides the vectors of an encoder that counts terms; of a fit: what it is made from."""
    terms = encoder.terms
    assert terms is not None
    identity = {
        "semantics": TERMS,
        "kind": terms.kind if isinstance(terms, Learning) else "hashing",
        "terms": canonical(terms, without=frozenset({"source"})),
        "normalize": encoder.normalize,
        "of": source_identity(specs, terms.source) if isinstance(terms, Learning) else None,
    }
    return _digest(identity)


def _digest(identity: dict[str, Any]) -> str:
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _source(source: Source) -> dict[str, Any]:
    data: dict[str, Any] = canonical(source, without=NOT_VALUES | {"lookup", "identity", "entity", "path", "stream"})
    for key in _LATER:
        if not data[key]:
            del data[key]  # a key that came later does not change the specs without it
    return data | {"paths": source.paths}

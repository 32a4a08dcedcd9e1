"""The identity of a feature view: equal fingerprints mean equal values from equal rows."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from limner.language.canonical import canonical
from limner.language.features import encoders_of
from limner.language.models import Source
from limner.language.outputs import local_zone, output_names
from limner.language.repo import Specs

SEMANTICS = 1
"""Raised when the same spec starts to mean other values: every history is then rebuilt."""

NOT_VALUES = frozenset({"description", "owner", "tags", "online"})
_LATER = ("rename", "partitions")


def fingerprint(specs: Specs, view_name: str, encoder_fingerprints: Mapping[str, str]) -> str:
    """sha256 (hex) of all that decides a view's values: its features, entity, grid, source with lookups and
    cleaning, and the encoders it uses by their own fingerprints (`encoder_fingerprints`, by encoder name).

    Spelling, the order of keys, comments, descriptions, owner, tags, `online` and other documents do not count.
    """
    view = specs.views[view_name]
    source = specs.sources[view.source]
    identity: dict[str, Any] = {
        "semantics": SEMANTICS,
        "view": view_name,
        "grid": canonical(view.grid),
        "entity": dict(specs.entities[view.entity].join_keys),
        "outputs": sorted(output_names(view)),
        "features": {name: canonical(feature, without=NOT_VALUES) for name, feature in view.features.items()},
        "source": _source(source),
        "lookups": {name: [sorted(source.lookup_pairs(name)), _source(specs.sources[name])] for name in source.lookup},
        "encoders": {name: encoder_fingerprints[name] for name in encoders_of(view.features.values())},
    }
    if any(feature.zoned for feature in view.features.values()):
        identity["timezone"] = local_zone(specs, view)
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _source(source: Source) -> dict[str, Any]:
    data: dict[str, Any] = canonical(source, without=NOT_VALUES | {"lookup", "entity", "path"})
    for key in _LATER:
        if not data[key]:
            del data[key]  # a key that came later does not change the specs without it
    return data | {"paths": source.paths}

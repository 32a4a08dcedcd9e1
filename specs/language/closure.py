"""A view together with everything it depends on, as one text: what a run computes is what was applied."""

import json
from typing import Any

from limner.language.canonical import written
from limner.language.learning.binding import bind
from limner.language.members import below, encoders_below, models_below
from limner.language.models import DOCUMENTS, Model
from limner.language.repo import Specs

_FIELDS = {"entity": "entities", "source": "sources", "encoder": "encoders", "model": "models", "feature_view": "views"}


def closure(specs: Specs, view_name: str) -> str:
    """JSON of the view's documents and of those it refers to; `from_closure` reads it."""
    views = [specs.views[name] for name in (view_name, *below(specs.views, view_name))]
    reads = [name for view in views for name in view.reads]
    sources = dict.fromkeys(each for name in reads for each in (name, *specs.sources[name].others))
    documents: list[Model] = [
        *views,
        specs.entities[views[0].entity],
        *(specs.sources[name] for name in sources),
    ]
    for encoder in encoders_below(specs.views, view_name):
        documents += [each for each in encoder_documents(specs, encoder) if each not in documents]
    documents += [specs.models[name] for name in models_below(specs.views, view_name)]
    data = [written(document) for document in documents]
    for view in data[: len(views)]:
        view.pop("examples", None)  # they say what values should be, and decide none
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def encoder_documents(specs: Specs, name: str) -> list[Model]:
    """An encoder, and the sources that it learns from."""
    encoder = specs.encoders[name]
    learned = (
        [] if encoder.learning is None else [encoder.learning.source, *specs.sources[encoder.learning.source].others]
    )
    return [encoder, *(specs.sources[each] for each in learned)]


def from_closure(text: str) -> Specs:
    """The specs of one view, as they were when `text` was made."""
    found: dict[str, dict[str, Any]] = {name: {} for name in _FIELDS.values()}
    raw: dict[tuple[str, str], dict[str, Any]] = {}
    for data in json.loads(text):
        kind = next(kind for kind in DOCUMENTS if kind in data)
        found[_FIELDS[kind]][data[kind]] = DOCUMENTS[kind].model_validate(data)
        raw[kind, data[kind]] = data
    views = {name: bind(view, found["models"], found["views"]) for name, view in found["views"].items()}
    return Specs(found["entities"], found["sources"], found["encoders"], views, models=found["models"], raw=raw)

"""What a plan tells of the models that a view asks: who moves to another segment, and which have nothing to say yet."""

import json
from collections.abc import Iterator
from pathlib import Path

from limner.language.learning.binding import models_of
from limner.language.models import LearnedModel
from limner.language.repo import Specs
from limner.workers.members import text_of


def model_notes(specs: Specs, view: str, before: str, data: Path) -> tuple[str, ...]:
    """Notes on a view that changes; `specs` with the versions that there are now, `before`: the closure as applied.

    LimnerError where a version cannot be read.
    """
    known = {
        (document["model"], each["version"])
        for document in json.loads(before)
        if "model" in document
        for each in document.get("versions", ())
    }
    found: list[str] = []
    for name in models_of(specs.views[view]):
        model = specs.models[name]
        if not model.versions:
            found.append(f"model {name} has no version yet, so what asks it is null: limner fit {name}")
        elif model.segments is not None:
            found += _moves(model, {version for of, version in known if of == name}, data)
    return tuple(found)


def _moves(model: LearnedModel, known: set[str], data: Path) -> Iterator[str]:
    from limner.workers.models.contents import read_segmentation
    from limner.workers.models.movers import told

    for pin in model.versions:
        changes = read_segmentation(data, model.model, pin.version).changes if pin.version not in known else None
        if changes is not None:
            first, *rest = told(changes)
            yield f"model {model.model} from {text_of(pin.cut_off)} on, {first}"
            yield from (f"  {line}" for line in rest)

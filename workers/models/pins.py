"""Which versions speak for a model: those of its definition as it is now."""

from pathlib import Path

from limner.language.features import Pin
from limner.language.learning.binding import read_by, with_versions
from limner.language.learning.identity import definition
from limner.language.members import encoders_below
from limner.language.repo import Specs
from limner.workers.models.versions import registered
from limner.workers.text.models import encoder_model


def definition_of(specs: Specs, name: str, root: Path, data: Path) -> str:
    """The identity of a model's definition. LimnerError where the files of an encoder are not there."""
    texts = specs.models[name].texts
    views = read_by(specs.models[name], specs.views)
    encoders = {each for view in views for each in encoders_below(specs.views, view)}
    encoders |= {texts.encoder} if texts is not None and texts.encoder is not None else set()
    return definition(specs, name, {each: encoder_model(specs, each, root, data).fingerprint for each in encoders})


def pins_of(specs: Specs, name: str, root: Path, data: Path) -> tuple[Pin, ...]:
    """The versions of a model as it is declared now; of several of one cut-off, the first by id."""
    versions = registered(data, name)
    if not versions:
        return ()
    wanted = definition_of(specs, name, root, data)
    found: dict[int, Pin] = {}
    for version, each in versions.items():
        if each.definition == wanted:
            found.setdefault(each.cut_off, Pin(cut_off=each.cut_off, version=version))
    return tuple(found.values())


def with_pins(specs: Specs, root: Path, data: Path) -> Specs:
    """The specs, with the versions that speak now.

    What models of rows say may be learned from: which of their versions speak decides on those of other models.
    """
    first = [name for name, model in specs.models.items() if not model.kinds]
    pins: dict[str, tuple[Pin, ...]] = {}
    for names in (first, specs.models.keys() - {*first}):
        found = {name: pins_of(specs, name, root, data) for name in sorted(names)}
        pins |= found
        specs = with_versions(specs, pins)
    return specs

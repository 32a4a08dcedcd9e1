"""Models and the features that ask them: what a model reads, and which of its versions speak."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from limner.language.feature_base import FeatureBase
from limner.language.features import Asking, OfSequence, Pin, Scored
from limner.language.learning.document import LearnedModel
from limner.language.models import FeatureView
from limner.language.outputs import output_names, short_for

if TYPE_CHECKING:
    from limner.language.repo import Specs

Models = Mapping[str, LearnedModel]
Views = Mapping[str, FeatureView]


def models_of(view: FeatureView) -> tuple[str, ...]:
    """The models that a view's features ask, sorted."""
    asked = (asked_by(each) for each in view.features.values())
    return tuple(sorted({name for name in asked if name is not None}))


def asked_by(feature: FeatureBase) -> str | None:
    """The model that a feature asks."""
    return feature.model if isinstance(feature, Asking | Scored | OfSequence) else None


def read_by(model: LearnedModel, views: Views) -> dict[str, tuple[str, ...]]:
    """View to the outputs that a model reads, sorted; what is not there is left out."""
    found: dict[str, set[str]] = {}
    for member in model.learns.features if model.kinds else ():
        for name, columns in {member: None}.items() if isinstance(member, str) else member.items():
            if name in views:
                every = output_names(views[name])
                picked = every if columns is None else [o for each in columns for o in short_for(views[name], each)]
                found.setdefault(name, set()).update(each for each in picked if each in every)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def inputs_of(model: LearnedModel, views: Views) -> tuple[str, ...]:
    """What a model reads, as `view.feature`, sorted: neither the order nor the form of its spec decides a value."""
    return tuple(f"{view}.{output}" for view, outputs in read_by(model, views).items() for output in outputs)


def bind(view: FeatureView, models: Models, views: Views) -> FeatureView:
    """The view, its features knowing what the models read that they ask, and their versions."""
    if not any(name in models for name in models_of(view)):
        return view
    return view.model_copy(
        update={"features": {name: _bound(each, models, views) for name, each in view.features.items()}}
    )


def _bound(feature: FeatureBase, models: Models, views: Views) -> FeatureBase:
    model = models.get(asked_by(feature) or "")
    if isinstance(feature, Asking) and model is not None:
        return feature.bound(inputs_of(model, views), model.versions)
    if isinstance(feature, Scored) and model is not None and model.texts is not None:
        return feature.bound(model.texts.names, model.texts.vectors, model.versions)
    if isinstance(feature, OfSequence) and model is not None and model.sequence is not None:
        of = model.sequence
        return feature.bound(of.read, of.where, of.length, of.dim, model.versions)
    return feature


def with_versions(specs: "Specs", versions: Mapping[str, tuple[Pin, ...]]) -> "Specs":
    """The specs where these versions of models speak, by name, and no others."""
    models = {name: pinned(each, versions.get(name, ())) for name, each in specs.models.items()}
    views = {name: bind(view, models, specs.views) for name, view in specs.views.items()}
    return replace(specs, models=models, views=views)


def pinned(model: LearnedModel, versions: tuple[Pin, ...]) -> LearnedModel:
    """The model with these versions."""
    return model.model_copy(update={"versions": tuple(sorted(versions, key=lambda pin: pin.cut_off))})

"""Rules between documents: every name that is referred to exists, and the parts fit together."""

from collections.abc import Iterator, Mapping
from typing import Any

from limner.language.derivation import output_names_of
from limner.language.documents import Parsed
from limner.language.errors import Problem
from limner.language.example_names import misnamed
from limner.language.feature_base import FeatureBase
from limner.language.features import ASKING, SCORED_BY, Scored, TextStatistic, encoders_of
from limner.language.learning.binding import asked_by
from limner.language.learning.rules import between
from limner.language.members import unfit
from limner.language.models import Encoder, Entity, FeatureView, LearnedModel, Profile, RequestView, Source
from limner.language.outputs import output_names
from limner.language.request_references import profile_fields, request_view
from limner.language.suggest import did_you_mean

Names = Mapping[str, Mapping[str, Parsed]]
"""Documents by kind and name, the unusable ones too: their names are not unknown."""
_ASKED = {kind.kind: kind.asks for kind in ASKING} | SCORED_BY | {"encode": "sequence", "next": "sequence"}
"""Feature kind to the kind of model that it asks."""


def unresolved(names: Names, *, complete: bool) -> list[Problem]:
    """Problems between documents; with `complete` false some could not be read, so no name is called unknown."""
    found: list[Problem] = []
    for kind in names.values():
        for parsed in kind.values():
            match parsed.model:
                case Source() as source:
                    found += _source(parsed, source, names, complete)
                case FeatureView() as view:
                    found += _view(parsed, view, names, complete)
                case RequestView() as view:
                    found += request_view(parsed, view, names, complete)
                case Encoder() as encoder:
                    found += _encoder(parsed, encoder, names, complete)
                case LearnedModel() as model:
                    found += _model(parsed, model, names, complete)
                case Profile() as profile:
                    found += _profile(parsed, profile, names, complete)
    return found


def _unknown(parsed: Parsed, path: tuple[str | int, ...], kind: str, name: str, names: Names, *, at_key: bool = False
) -> Iterator[Problem]:  # fmt: skip
    if name not in names[kind]:
        text = f"there is no {kind.replace('_', ' ')} {name!r}: {did_you_mean(name, names[kind])}"
        yield parsed.origin.problem(path, text, at_key=at_key)


def _models(names: Names, kind: str) -> dict[str, Any]:
    return {name: parsed.model for name, parsed in names[kind].items() if parsed.model is not None}


def _source(parsed: Parsed, source: Source, names: Names, complete: bool) -> Iterator[Problem]:
    if complete and source.entity is not None:
        yield from _unknown(parsed, ("entity",), "entity", source.entity, names)
    others = [("lookup", name) for name in source.lookup] + [("identity", name) for name in source.identity]
    for key, name in others:
        path = (key, name)
        if complete:
            yield from _unknown(parsed, path, "source", name, names, at_key=True)
        dimension = names["source"][name].model if name in names["source"] else None
        if isinstance(dimension, Source) and dimension.lookup and key == "lookup":
            text = f"{name!r} has a lookup of its own: a source that is looked up cannot"
            yield parsed.origin.problem(path, text, at_key=True)
        if isinstance(dimension, Source) and key == "identity" and name != source.source:
            if dimension.lookup or dimension.identity:
                has = "a lookup" if dimension.lookup else "an identity"
                text = f"{name!r} has {has} of its own: an identity map cannot"
                yield parsed.origin.problem(path, text, at_key=True)
            if dimension.event_timestamp is None and dimension.since is None:
                text = (f"the identity map {name!r} does not say when its links hold: "
                        "give it event_timestamp (a column) or since (an instant)")  # fmt: skip
                yield parsed.origin.problem(path, text, at_key=True)


def _view(parsed: Parsed, view: FeatureView, names: Names, complete: bool) -> Iterator[Problem]:
    problem = parsed.origin.problem
    if complete:
        yield from _unknown(parsed, ("entity",), "entity", view.entity, names)
    for path, name in view.places_of_sources():
        if complete:
            yield from _unknown(parsed, path, "source", name, names)
        yield from _timeless(parsed, path, name, names)
        yield from _of_another(parsed, view, name, names)
    if complete:
        views = _models(names, "feature_view")
        yield from misnamed(parsed.origin, view, (_models(names, "source"), _models(names, "encoder"), views))
        yield from unfit(parsed.origin, view, views, frozenset(names["feature_view"]))
        yield from _asked(parsed, view, names)
    entity = names["entity"][view.entity].model if view.entity in names["entity"] else None
    for name, feature in view.features.items():
        for encoder in encoders_of([feature]) if complete and not isinstance(feature, Scored) else ():
            yield from _unknown(parsed, ("features", name, "encoder"), "encoder", encoder, names)
        yield from _tokens(parsed, name, feature, names)
        for output in output_names_of(view.features, name):
            if isinstance(entity, Entity) and output in entity.join_keys:
                text = f"a feature cannot be named {output!r}: it is a join key of {view.entity!r}"
                yield problem(("features", name), text, at_key=True)


def _encoder(parsed: Parsed, encoder: Encoder, names: Names, complete: bool) -> Iterator[Problem]:
    if encoder.learning is None:
        return
    path = (encoder.learning.kind, "source")
    if complete:
        yield from _unknown(parsed, path, "source", encoder.learning.source, names)
    yield from _timeless(parsed, path, encoder.learning.source, names)


def _timeless(parsed: Parsed, path: tuple[str | int, ...], name: str, names: Names) -> Iterator[Problem]:
    source = names["source"][name].model if name in names["source"] else None
    if isinstance(source, Source) and source.event_timestamp is None and source.since is None:
        text = (f"source {name!r} has no time, so it can only be looked up: "
                "give it event_timestamp (a column) or since (an instant)")  # fmt: skip
        yield parsed.origin.problem(path, text)


def _tokens(parsed: Parsed, name: str, feature: FeatureBase, names: Names) -> Iterator[Problem]:
    """Tokens are those of a tokenizer, which only a model has."""
    used = feature.encoder if isinstance(feature, TextStatistic) and feature.encoder is not None else ""
    encoder = names["encoder"][used].model if used in names["encoder"] else None
    if isinstance(encoder, Encoder) and encoder.model is None:
        text = f"encoder {used!r} has no tokenizer: tokens need an encoder with a model"
        yield parsed.origin.problem(("features", name, "encoder"), text)


def _of_another(parsed: Parsed, view: FeatureView, name: str, names: Names) -> Iterator[Problem]:
    source = names["source"][name].model if name in names["source"] else None
    about = source.entity if isinstance(source, Source) else None
    if about is not None and about != view.entity and view.entity in names["entity"]:
        text = (f"the source {name!r} is about {about!r}, the view about {view.entity!r}: "
                "remove entity from the source if its rows are about both")  # fmt: skip
        yield parsed.origin.problem(("entity",), text)


def _model(parsed: Parsed, model: LearnedModel, names: Names, complete: bool) -> Iterator[Problem]:
    if complete:
        if model.entity is not None:
            yield from _unknown(parsed, ("entity",), "entity", model.entity, names)
        if model.texts is not None and model.texts.encoder is not None:
            path = (model.texts.kind, "encoder")
            yield from _unknown(parsed, path, "encoder", model.texts.encoder, names)
            yield from _unfitted(parsed, path, model, names)
    if complete and (model.entity is None or model.entity in names["entity"]):
        views = {name: each.model for name, each in names["feature_view"].items()}
        sources = {name: each.model for name, each in names["source"].items()}
        yield from between(parsed.origin, model, views, sources)  # type: ignore[arg-type]


def _asked(parsed: Parsed, view: FeatureView, names: Names) -> Iterator[Problem]:
    """The models that features ask."""
    for name, feature in view.features.items():
        asked = asked_by(feature)
        if asked is None:
            continue
        path = ("features", name, "model" if isinstance(feature, Scored) else feature.kind)
        yield from _unknown(parsed, path, "model", asked, names)
        model = names["model"][asked].model if asked in names["model"] else None
        if not isinstance(model, LearnedModel) or not model.said:
            continue
        if model.said != _ASKED[feature.kind]:
            fitting = next(kind for kind, of in _ASKED.items() if of == model.said)
            text = f"{feature.kind} asks a model of {_ASKED[feature.kind]}, and {asked!r} is one of {model.said}"
            yield parsed.origin.problem(path, f"{text}: ask it with {fitting}")
        elif model.texts is None and model.entity != view.entity:
            text = f"the model {asked!r} is about {model.entity!r}, the view about {view.entity!r}"
            yield parsed.origin.problem(path, text)
        elif model.sequence is not None and view.reads and view.source_of(feature) != model.sequence.from_:
            text = (f"the model {asked!r} reads {model.sequence.from_!r}, the feature {view.source_of(feature)!r}: "
                    f"a view with source: {model.sequence.from_}, or from: in the feature, can ask it")  # fmt: skip
            yield parsed.origin.problem(path, text)
    yield from _twice(parsed, view)


def _twice(parsed: Parsed, view: FeatureView) -> Iterator[Problem]:
    """Names that only a model's classes make."""
    owners: dict[str, list[str]] = {}
    for name in view.features:
        for output in output_names_of(view.features, name):
            owners.setdefault(output, []).append(name)
    for output, several in owners.items():
        for name in several[1:]:
            if any(isinstance(view.features[each], Scored) for each in several):
                text = f"makes {output!r}, and so does the feature {several[0]!r}: rename one"
                yield parsed.origin.problem(("features", name), text, at_key=True)


def _unfitted(parsed: Parsed, path: tuple[str | int, ...], model: LearnedModel, names: Names) -> Iterator[Problem]:
    """An encoder that learns must have learned by the first cut-off, and one that is tuned must be a model."""
    assert model.texts is not None
    used = model.texts.encoder or ""
    encoder = names["encoder"][used].model if used in names["encoder"] else None
    tuned = model.classifier is not None and model.classifier.tune is not None
    if tuned and isinstance(encoder, Encoder) and encoder.model is None:
        text = f"encoder {used!r} counts terms, and has no weights to tune: name an encoder with a model"
        yield parsed.origin.problem(path, text)
    elif isinstance(encoder, Encoder) and encoder.learning is not None and encoder.learning.fit > model.cut_off:
        text = f"encoder {used!r} has learned by its fit, which is after the cut-off of this model: choose a later one"
        yield parsed.origin.problem(path, text)


def _profile(parsed: Parsed, profile: Profile, names: Names, complete: bool) -> Iterator[Problem]:
    for kind in ("feature_view", "request_view"):
        if profile.profile in names[kind]:
            what = kind.replace("_", " ")
            text = f"there is a {what} {profile.profile!r}: readers ask for both by name, so rename one"
            yield parsed.origin.problem(("profile",), text)
    views = {**names["feature_view"], **names["request_view"]}
    for i, member in enumerate(profile.features):
        for name in [member] if isinstance(member, str) else member:
            path = ("features", i) if isinstance(member, str) else ("features", i, name)
            if complete and name not in views:
                text = f"there is no feature view {name!r}: {did_you_mean(name, views)}"
                yield parsed.origin.problem(path, text, at_key=True)
            valid = _features(views[name]) if name in views else None
            if valid is not None and not isinstance(member, str):
                for j, column in enumerate(member[name]):
                    if column not in valid:
                        text = f"the view {name!r} has no feature {column!r}: {did_you_mean(column, valid)}"
                        yield parsed.origin.problem((*path, j), text)
    yield from profile_fields(parsed, profile, names)


def _features(parsed: Parsed) -> set[str] | None:
    """What a profile may name of a view, the short names of several windows too; None where it cannot be told."""
    match parsed.model:
        case FeatureView() as view:
            return {name for name, f in view.features.items() if not f.hidden} | {*output_names(view)}
        case RequestView() as view:
            return set(view.features)
    return None

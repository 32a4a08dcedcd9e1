"""Rules of model documents: of one by itself, and between it and what it names."""

from collections.abc import Iterator, Mapping
from typing import Any

from limner.language.errors import Problem
from limner.language.feature_base import Fault, repeated
from limner.language.features import ASKING, Asking
from limner.language.learning import KINDS, TextKind
from limner.language.learning.document import LearnedModel
from limner.language.models import FeatureView, Source
from limner.language.outputs import Output, output_names, short_for
from limner.language.places import Origin, Path
from limner.language.suggest import did_you_mean, listed


def broken_model(model: LearnedModel) -> Iterator[Fault]:
    """Rules that a well-typed document breaks by itself."""
    said = [kind.kind for kind in KINDS if getattr(model, kind.kind) is not None]
    if not said:
        yield (), f"says nothing about what it learns: add {listed(kind.kind for kind in KINDS)}", False
        return
    for each in said[1:]:
        yield (each,), f"learns {said[0]} already: a model learns one thing, so write two", True
    content = getattr(model, said[0])
    for path, text, at_key in content.faults():
        yield (said[0], *path), text, at_key
    if isinstance(content, TextKind):
        if model.entity is not None:
            yield ("entity",), f"{said[0]} is about texts, whoever they are of: remove entity", True
        return
    if model.entity is None:
        yield (), "needs the key 'entity': name the entity it describes", False
    if not model.kinds:
        return
    seen: set[str] = set()
    for i, member in enumerate(model.learns.features):
        for view in [member] if isinstance(member, str) else member:
            if view in seen:
                yield (said[0], "features", i), f"names the feature view {view!r} twice: keep one", False
            seen.add(view)
            columns = () if isinstance(member, str) else member[view]
            yield from repeated((said[0], "features", i, view), columns, "feature")


def between(
    origin: Origin,
    model: LearnedModel,
    views: Mapping[str, FeatureView | None],
    sources: Mapping[str, Source | None],
) -> Iterator[Problem]:
    """Views, features and sources that a model names and that are not there or do not fit; None: unreadable."""
    yield from _rows(origin, model, sources)
    if not model.kinds:
        return
    for i, member in enumerate(model.learns.features):
        for name, columns in {member: ()}.items() if isinstance(member, str) else member.items():
            path: Path = (model.learns.kind, "features", i)
            path = path if isinstance(member, str) else (*path, name)
            if name not in views:
                text = f"there is no feature view {name!r}: {did_you_mean(name, views)}"
                yield origin.problem(path, text, at_key=True)
            elif (view := views[name]) is not None:
                yield from _features(origin, model, path, view, columns)
    for key, query in model.learns.queries:
        here: Path = (model.learns.kind, key, "from")
        if query.from_ not in sources:
            yield origin.problem(here, f"there is no source {query.from_!r}: {did_you_mean(query.from_, sources)}")
        elif (source := sources[query.from_]) is not None:
            yield from _source(origin, model, here, source)


def _rows(origin: Origin, model: LearnedModel, sources: Mapping[str, Source | None]) -> Iterator[Problem]:
    """The sources that a model reads itself."""
    reads: list[tuple[Path, str]] = []
    if model.texts is not None:
        reads = [((model.said, *at, "source"), name) for at, name, _ in model.texts.reads]
    elif model.sequence is not None:
        reads = [((model.said, "from"), model.sequence.from_)]
    for place, name in reads:
        if name not in sources:
            yield origin.problem(place, f"there is no source {name!r}: {did_you_mean(name, sources)}")
        elif (read := sources[name]) is not None:
            yield from (
                _timeless(origin, place, read) if model.texts is not None else _source(origin, model, place, read)
            )


def _features(
    origin: Origin, model: LearnedModel, path: Path, view: FeatureView, columns: tuple[str, ...]
) -> Iterator[Problem]:
    name = view.feature_view
    if view.entity != model.entity:
        text = f"the view {name!r} is about {view.entity!r}, the model about {model.entity!r}"
        yield origin.problem(path, text, at_key=True)
    if any(isinstance(each, Asking) for each in view.features.values()):
        text = f"the view {name!r} asks models: a model cannot learn from what another says"
        yield origin.problem(path, text, at_key=True)
    every = output_names(view)
    for j, column in enumerate(columns):
        if not set(short_for(view, column)) <= set(every):
            known = {*every, *(name for name, each in view.features.items() if not each.hidden)}
            text = f"the view {name!r} has no feature {column!r}: {did_you_mean(column, known)}"
            yield origin.problem((*path, j), text)


def _timeless(origin: Origin, path: Path, source: Source) -> Iterator[Problem]:
    if source.event_timestamp is None:
        text = f"source {source.source!r} does not say when its rows happened: give it event_timestamp (a column)"
        yield origin.problem(path, text)


def _source(origin: Origin, model: LearnedModel, path: Path, source: Source) -> Iterator[Problem]:
    yield from _timeless(origin, path, source)
    if source.entity not in (None, model.entity):
        text = f"the source {source.source!r} is about {source.entity!r}, the model about {model.entity!r}"
        yield origin.problem(path, text)


def unreadable(origin: Origin, model: LearnedModel, outputs: Mapping[str, Mapping[str, Output]]) -> Iterator[Problem]:
    """Features that a model cannot take: it takes numbers, yes or no, and by kind words and vectors.

    `outputs` are those of views, by name.
    """
    if not model.kinds:
        return
    asking = next(kind for kind in ASKING if kind.asks == model.learns.kind)
    for i, member in enumerate(model.learns.features):
        for view, columns in {member: None}.items() if isinstance(member, str) else member.items():
            made: Mapping[str, Any] = outputs.get(view, {})
            for name, output in made.items():
                kind = output.type
                single = not (kind.list or kind.map or kind.dim) and kind.base in asking.takes
                vector = asking.vectors and kind.dim is not None
                if not (single or vector) and (columns is None or _named(name, columns)):
                    takes = asking.takes_words
                    text = f"{view}.{name} is {kind.words}, but a model takes {takes}: name the features it reads"
                    yield origin.problem((model.learns.kind, "features", i), text)


def _named(output: str, columns: tuple[str, ...]) -> bool:
    return any(output == each or output.startswith(f"{each}_") for each in columns)

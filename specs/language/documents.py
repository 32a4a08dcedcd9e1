"""One document: which kind it is, and the model it makes."""

from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from limner.language.errors import Problem
from limner.language.models import DOCUMENTS, Model
from limner.language.places import Origin, Path
from limner.language.reader import Document
from limner.language.rules import broken
from limner.language.scalars import found
from limner.language.suggest import listed, nearest
from limner.language.translate import findings


@dataclass(frozen=True)
class Parsed:
    """A recognized document; `model` is None where it has problems, which does not make its name unknown."""

    kind: str
    name: str
    data: dict[str, Any]
    origin: Origin
    model: Model | None


def parse(document: Document) -> tuple[Parsed | None, list[Problem]]:
    """The document and all its problems; None where not even its kind can be told."""
    data, origin = document.data, document.origin
    if not isinstance(data, dict):
        text = f"found {found(data)}, expected a document such as entity: user"
        return None, [] if () in document.refused else [origin.problem((), text)]
    kind = next((kind for kind in DOCUMENTS if kind in data), None)
    misspelled = _misspelled(data, kind)
    if misspelled is not None:
        key, meant = misspelled
        text = f"unknown key {key!r}: did you mean {meant!r}?"
        return None, [origin.problem((key,), text, at_key=True)]
    if kind is None:
        text = f"a document needs a kind: expected one of the keys {listed(DOCUMENTS)}"
        return None, [origin.problem((), text)]
    name = data[kind] if isinstance(data[kind], str) else ""
    origin = replace(origin, title=f"{kind} {name}".strip())
    model, problems = _model(kind, data, origin, document.refused)
    return Parsed(kind, name, data, origin, model), problems


def _misspelled(data: dict[str, Any], kind: str | None) -> tuple[str, str] | None:
    """A key that is likely meant to name the kind: without it, `entity:` would make a view look like an entity."""
    if kind is not None and not set(data) - set(DOCUMENTS[kind].model_fields):
        return None
    strange = set(data) - (set(DOCUMENTS[kind].model_fields) if kind else set())
    earlier = list(DOCUMENTS)[: list(DOCUMENTS).index(kind)] if kind else list(DOCUMENTS)
    for key, value in data.items():
        meant = nearest(key, earlier) if key in strange and isinstance(value, str) else None
        if meant is not None:
            return key, meant
    return None


def _model(
    kind: str, data: dict[str, Any], origin: Origin, refused: frozenset[Path]
) -> tuple[Model | None, list[Problem]]:
    try:
        model = DOCUMENTS[kind].model_validate(data, context={"written": True})
    except ValidationError as error:
        problems = [
            origin.problem(path, message, at_key=at_key)
            for path, message, at_key in findings(error.errors(), data, DOCUMENTS[kind])
            if not any(path[: len(skip)] == skip for skip in refused)
        ]
        return None, list(dict.fromkeys(problems))
    problems = [origin.problem(path, message, at_key=at_key) for path, message, at_key in broken(model, data)]
    return (None if refused else model), problems

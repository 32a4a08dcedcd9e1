"""The examples of a view held against the columns of its sources."""

from collections.abc import Iterator, Mapping
from typing import Any

from limner.language.errors import Problem
from limner.language.example import Example
from limner.language.models import FeatureView, LogicalType, Source
from limner.language.places import Origin, Path
from limner.language.repo import Specs
from limner.language.scope import RawColumns
from limner.language.suggest import did_you_mean
from limner.language.uses import fits, misfit


def misfitting(specs: Specs, view: FeatureView, raw: RawColumns) -> Iterator[Problem]:
    """Columns and values that the sources cannot have, and examples that do not say whom they are about."""
    origin = specs.origin("feature_view", view.feature_view)
    for i, example in enumerate(view.examples):
        for name, rows in example.rows.items():
            if name not in raw:
                continue
            textual = is_text(specs.sources[name], raw[name])
            for j, row in enumerate(rows):
                for column, value in row.items():
                    path: Path = ("examples", i, "rows", name, j, column)
                    if column not in raw[name]:
                        text = f"the source {name!r} has no column {column!r}: {did_you_mean(column, raw[name])}"
                        yield origin.problem(path, text, at_key=True)
                    elif value is not None and not textual and not fits(value, raw[name][column]):
                        yield origin.problem(path, misfit(value, raw[name][column]))
        yield from _key(origin, ("examples", i), specs, view, example)


def is_text(source: Source, raw: Mapping[str, LogicalType]) -> bool:
    """Whether the source's format stores every value as text, so that an example may write numbers as they look."""
    return source.database is None and set(raw.values()) <= {"string"}


def _key(origin: Origin, path: Path, specs: Specs, view: FeatureView, example: Example) -> Iterator[Problem]:
    keys = tuple(specs.entities[view.entity].join_keys) if view.entity in specs.entities else ()
    if example.key is not None and set(example.key) != set(keys):
        text = f"expected a value for each join key of {view.entity!r}: {', '.join(keys)}"
        yield origin.problem((*path, "key"), text)
    elif example.key is None and len(entities_of(example, keys)) != 1:
        text = f"which {view.entity} is it about? Add e.g. key: {{{keys[0] if keys else 'id'}: 1}}"
        yield origin.problem(path, text)


def entities_of(example: Example, keys: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The distinct join keys among an example's rows."""
    found = [tuple(row[key] for key in keys) for rows in example.rows.values() for row in rows if set(keys) <= set(row)]
    return list(dict.fromkeys(found))

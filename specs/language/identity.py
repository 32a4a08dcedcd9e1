"""Join keys of a source: its own columns, or those that its identity map gives its rows."""

from collections.abc import Iterator

from limner.language.errors import Problem
from limner.language.models import Entity
from limner.language.places import Path
from limner.language.repo import Specs
from limner.language.scope import RawColumns, scope
from limner.language.uses import Use, join_key


def entity_keys(specs: Specs, use: Use, path: Path, entity: Entity, raw: RawColumns) -> Iterator[Problem]:
    """Every join key is a column of the source, or else of its identity map, and of the entity's type."""
    source = specs.sources[use.source]
    for key, kind in entity.join_keys.items():
        own = key in use.types or key in use.elsewhere or not source.identity
        for name in () if own else source.identity:
            theirs = Use(use.origin, name, scope(specs, name, raw), joined=False)
            yield from join_key(theirs, path, key, kind)
            if key in (column for _, column in source.identity_pairs(name)):
                text = f"the join key {key!r} is an id in the identity map {name!r}, which must say whose an id is"
                yield use.origin.problem(path, text)
        if own:
            yield from join_key(use, path, key, kind)

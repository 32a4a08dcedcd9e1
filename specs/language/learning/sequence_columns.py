"""Models of sequences held against the columns of the source they read."""

from collections.abc import Iterator

from limner.language.errors import Problem
from limner.language.identity import entity_keys
from limner.language.learning.document import LearnedModel
from limner.language.repo import Specs
from limner.language.scope import RawColumns, scope
from limner.language.types import LogicalType
from limner.language.uses import Use

_TYPES: tuple[LogicalType, ...] = ("string", "int", "bool")


def unordered(specs: Specs, model: LearnedModel, raw: RawColumns, known: set[str]) -> Iterator[Problem]:
    """Columns that are not there, or are no categories; join keys that the source does not have."""
    learns = model.sequence
    assert learns is not None
    if learns.from_ not in known:
        return
    origin, columns = specs.origin("model", model.model), scope(specs, learns.from_, raw)
    use = Use(origin, learns.from_, columns, joined=True)
    why = "a sequence is of categories: text, int or bool"
    for path, column in ((("item",), learns.item), *((("columns", i), each) for i, each in enumerate(learns.columns))):
        yield from use.typed((learns.kind, *path), column, _TYPES, why)
    if learns.where is not None:
        yield from use.condition((learns.kind, "where"), learns.where)
    own = Use(origin, learns.from_, columns, joined=False)
    if model.about in specs.entities:
        yield from entity_keys(specs, own, (learns.kind, "from"), specs.entities[model.about], raw)

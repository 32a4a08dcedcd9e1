"""The kind that makes one vector of numbers, categories and embeddings."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from limner.language.derived_base import Derived, OperandTypes
from limner.language.feature_base import Fault, Operand, repeated
from limner.language.features.derived import same_type
from limner.language.scalars import Bool, Filled, Instant, Int, Number, Scalar
from limner.language.types import NUMBERS, OutputType

Weight = Annotated[Number, Field(gt=0)]


class Scalars(BaseModel):
    """Numbers, a place each (and one a window); null is 0 once they are scaled."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    scalars: Annotated[tuple[Filled, ...], Field(min_length=1)]
    scale: Literal["none", "zscore", "minmax", "log1p"] = "none"
    weight: Weight = 1


class Categories(BaseModel):
    """A place for each value of a category, 1 where it is the value; null is all zeros."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    categories: Filled
    values: Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=10_000)]
    other: Bool = False
    weight: Weight = 1


class Embedding(BaseModel):
    """A vector feature as it is; null is all zeros."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    embedding: Filled
    weight: Weight = 1


class Project(BaseModel):
    """What the vector is projected to: its principal components, fitted to the population as of `fit`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    pca: Annotated[Int, Field(ge=1, le=4096)]


PARTS: tuple[type[BaseModel], ...] = (Scalars, Categories, Embedding)
PART_NAMES = ("scalars", "categories", "embedding")


def _part(value: Any) -> str | None:
    if isinstance(value, BaseModel):
        return f"<{type(value).__name__.lower()}>"
    return next((f"<{name}>" for name in PART_NAMES if isinstance(value, dict) and name in value), None)


Part = Annotated[
    Annotated[Scalars, Tag("<scalars>")]
    | Annotated[Categories, Tag("<categories>")]
    | Annotated[Embedding, Tag("<embedding>")],
    Discriminator(_part),
]


class Vector(Derived):
    """One vector of numbers, categories and embeddings, end to end in the order written. Null before its `fit`."""

    kind = "vector"
    vector: Annotated[tuple[Part, ...], Field(min_length=1)]
    fit: Instant | None = None
    project: Project | None = None
    normalize: Bool = False

    def operands(self) -> tuple[Operand, ...]:
        """The features of all parts."""
        found: list[Operand] = []
        for i, part in enumerate(self.vector):
            match part:
                case Scalars(scalars=names):
                    found += [Operand(("vector", i, "scalars", j), name, NUMBERS) for j, name in enumerate(names)]
                case Categories(categories=name):
                    found.append(Operand(("vector", i, "categories"), name))
                case Embedding(embedding=name):
                    found.append(Operand(("vector", i, "embedding"), name, vector=True))
        return tuple(found)

    @property
    def together(self) -> bool:
        """All windows of a number stand in one vector."""
        return True

    @property
    def fitted(self) -> int | None:
        """Its `fit`."""
        return self.fit

    @property
    def reasons_to_fit(self) -> tuple[str, ...]:
        """What cannot be done without knowing the population."""
        scales = [
            part.scale for part in self.vector if isinstance(part, Scalars) and part.scale in ("zscore", "minmax")
        ]
        return (*dict.fromkeys(scales), *(("pca",) if self.project is not None else ()))

    def faults(self) -> Iterator[Fault]:
        """A fit where one is needed, and only there; each category once."""
        if self.reasons_to_fit and self.fit is None:
            text = f"{' and '.join(self.reasons_to_fit)} must know the population: add fit, the instant as of which"
            yield (), text, False
        if self.fit is not None and not self.reasons_to_fit:
            yield ("fit",), "nothing here is fitted: remove fit, or scale by zscore or minmax, or project", True
        for i, part in enumerate(self.vector):
            if isinstance(part, Categories):
                yield from repeated(("vector", i, "values"), part.values, "category")

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """A vector as long as its parts together, or of as many components as it is projected to."""
        length = sum(width(part, operands) for part in self.vector)
        if any(kind.dim == 0 for kinds in operands.values() for kind in kinds):
            length = 0  # an encoder that nobody has looked at yet
        for part in self.vector:
            if isinstance(part, Categories):
                same_type(part.values, operands[part.categories][0])
        if self.project is None:
            return OutputType("float", list=True, dim=length)
        if 0 < length < self.project.pca:
            raise ValueError(f"pca: {self.project.pca} components of a vector of {length} places")
        return OutputType("float", list=True, dim=self.project.pca)


def width(part: BaseModel, operands: OperandTypes) -> int:
    """How many places of the vector a part takes."""
    match part:
        case Scalars(scalars=names):
            return sum(len(operands[name]) for name in names)
        case Categories(values=values, other=other):
            return len(values) + other
        case Embedding(embedding=name):
            return operands[name][0].dim or 0
    raise AssertionError(part)

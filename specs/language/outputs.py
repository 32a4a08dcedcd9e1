"""What a feature view produces: the names and types of its columns, in the order of the spec."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limner.language.durations import parse_instant
from limner.language.feature_base import FeatureBase
from limner.language.features import Embed, Feature
from limner.language.models import FeatureView, LogicalType

if TYPE_CHECKING:
    from limner.language.repo import Specs


@dataclass(frozen=True)
class OutputType:
    """A value's type: a scalar, a list of scalars, a vector of `dim` float32, or a map from text to scalars."""

    base: LogicalType
    list: bool = False
    dim: int | None = None
    map: bool = False


@dataclass(frozen=True)
class Output:
    """One column of a view: a feature over one window (microseconds, None = lifetime)."""

    name: str
    feature: Feature
    window: int | None
    type: OutputType

    @property
    def default(self) -> Any:
        """What replaces null, as the column's own type (an instant in microseconds, a list as a tuple); or None."""
        value = getattr(self.feature, "default", None)
        if value is None or not isinstance(value, tuple):
            return _as(self.type.base, value)
        return tuple(_as(self.type.base, item) for item in value)


def outputs(view: FeatureView, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> tuple[Output, ...]:
    """Every output of a view in the order of its spec.

    `columns` are the cleaned columns of its source, `dims` the vector lengths of its encoders by name.
    """
    found: list[Output] = []
    for name, feature in view.features.items():
        kind = type_of(feature, columns, dims)
        for window, output in zip(feature.windows, feature.names(name), strict=True):
            micros = None if isinstance(window, str) else window.micros
            found.append(Output(output, feature, micros, kind))
    return tuple(found)


def type_of(feature: FeatureBase, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
    """The type of a feature's values."""
    if isinstance(feature, Embed):
        return OutputType("float", list=True, dim=dims[feature.encoder])
    if feature.kind in ("count", "distinct"):
        return OutputType("int")
    if feature.kind in ("mean", "std", "share"):
        return OutputType("float")
    column = columns[feature.column or ""]
    if feature.kind == "sum":
        return OutputType("int" if column == "int" else "float")
    return OutputType(column, list=feature.kind == "top")


def output_names(view: FeatureView) -> tuple[str, ...]:
    """The names of a view's outputs, which depend on nothing but its spec."""
    return tuple(output for name, feature in view.features.items() for output in feature.names(name))


def profile_members(specs: "Specs", profile: str) -> dict[str, tuple[str, ...]]:
    """View name to output names, in the order of the profile; a feature's name stands for all its windows.

    What a profile says of one view in several places is put together.
    """
    members: dict[str, tuple[str, ...]] = {}
    for member in specs.profiles[profile].features:
        chosen = {member: None} if isinstance(member, str) else member
        for name, columns in chosen.items():
            view = specs.views[name]
            every = output_names(view)
            picked = every if columns is None else [out for column in columns for out in _members(view, column, every)]
            members[name] = tuple(dict.fromkeys((*members.get(name, ()), *picked)))
    return members


def _members(view: FeatureView, column: str, every: tuple[str, ...]) -> tuple[str, ...]:
    return (column,) if column in every else view.features[column].names(column)


def _as(base: LogicalType, value: Any) -> Any:
    if base == "timestamp" and isinstance(value, str):
        return parse_instant(value)
    return float(value) if base == "float" and isinstance(value, int) else value

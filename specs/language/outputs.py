"""What a feature view produces: the names and types of its columns, in the order of the spec."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limner.language.durations import parse_instant
from limner.language.features import Feature
from limner.language.models import FeatureView
from limner.language.types import LogicalType
from limner.language.types import OutputType as OutputType
from limner.language.windows import Window

if TYPE_CHECKING:
    from limner.language.repo import Specs


@dataclass(frozen=True)
class Output:
    """One column of a view: a plain feature over one window of the rows of `source`. Local time is that of `zone`."""

    name: str
    feature: Feature
    window: Window
    type: OutputType
    source: str
    zone: str = "UTC"

    @property
    def default(self) -> Any:
        """What replaces null, as the column's own type (an instant in microseconds, a list as a tuple); or None."""
        value = getattr(self.feature, "default", None)
        if value is None or not isinstance(value, tuple):
            return _as(self.type.base, value)
        return tuple(_as(self.type.base, item) for item in value)


def outputs(
    view: FeatureView,
    columns: Mapping[str, Mapping[str, LogicalType]],
    dims: Mapping[str, int],
    zone: str = "UTC",
) -> tuple[Output, ...]:
    """Every output of a view in the order of its spec.

    `columns` are the cleaned columns of each source, `dims` the vector lengths of its encoders by name, `zone` is its
    `local_zone`.
    """
    return tuple(
        Output(output, plain, window, plain.output_type(columns[source], dims), source, zone)
        for name, feature in view.features.items()
        for source in [view.source_of(feature)]
        for part, plain in feature.expand(name)
        for window, output in zip(plain.windows(zone), plain.names(part), strict=True)
    )


def output_names(view: FeatureView) -> tuple[str, ...]:
    """The names of a view's outputs, which depend on nothing but its spec."""
    return tuple(output for name, feature in view.features.items() for output in feature.names(name))


def local_zone(specs: "Specs", view: FeatureView) -> str:
    """The zone of a view's local time: its own, or that of the first source it reads."""
    return view.timezone or specs.sources[view.reads[0]].timezone


def profile_members(specs: "Specs", profile: str) -> dict[str, tuple[str, ...]]:
    """View (or request view) to output names, in the order of the profile; a feature's name stands for all its windows.

    What a profile says of one view in several places is put together.
    """
    members: dict[str, tuple[str, ...]] = {}
    for member in specs.profiles[profile].features:
        chosen = {member: None} if isinstance(member, str) else member
        for name, columns in chosen.items():
            if name in specs.requests:
                picked = tuple(specs.requests[name].features if columns is None else columns)
            else:
                view = specs.views[name]
                every = output_names(view)
                picked = every if columns is None else tuple(o for each in columns for o in _members(view, each, every))
            members[name] = tuple(dict.fromkeys((*members.get(name, ()), *picked)))
    return members


def _members(view: FeatureView, column: str, every: tuple[str, ...]) -> tuple[str, ...]:
    return (column,) if column in every else view.features[column].names(column)


def _as(base: LogicalType, value: Any) -> Any:
    if base == "timestamp" and isinstance(value, str):
        return parse_instant(value)
    return float(value) if base == "float" and isinstance(value, int) else value

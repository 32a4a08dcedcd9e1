"""What a feature view produces: the names and types of its columns, in the order of the spec."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limner.language.derivation import Derivation, derivations, in_order, output_names_of
from limner.language.derived_base import Derived, OperandTypes
from limner.language.durations import parse_instant
from limner.language.feature_base import FeatureBase
from limner.language.features import Feature, Latest
from limner.language.models import FeatureView
from limner.language.types import LogicalType
from limner.language.types import OutputType as OutputType
from limner.language.windows import Lifetime, Window

if TYPE_CHECKING:
    from limner.language.repo import Specs


Members = Mapping[str, Iterable["Output"]]
"""By the names of a view's members, what they write."""


@dataclass(frozen=True)
class Output:
    """One column of a view: a plain feature over one window of the rows of `source`. Local time is that of `zone`."""

    name: str
    feature: Feature
    window: Window
    type: OutputType
    source: str
    zone: str = "UTC"
    inputs: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of a derived one: the outputs each operand stands for

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
    members: Members | None = None,
) -> tuple[Output, ...]:
    """Every output of a view that is written, in the order of its spec.

    `columns` are the cleaned columns of each source, `dims` the vector lengths of its encoders by name, `zone` is its
    `local_zone`, `members` are the outputs of the views it is made of. ValueError where the operand of a derived
    feature is of a type that it cannot take.
    """
    written = set(output_names(view))
    return tuple(output for output in computed(view, columns, dims, zone, members) if output.name in written)


def computed(
    view: FeatureView,
    columns: Mapping[str, Mapping[str, LogicalType]],
    dims: Mapping[str, int],
    zone: str = "UTC",
    members: Members | None = None,
) -> tuple[Output, ...]:
    """As `outputs`, and those that are hidden: computed because others are made of them.

    Among these are the outputs of members that features are made of, named `view.feature`.
    """
    used = {output.name: output for output in taken(view, members or {})}
    made = used | {output.name: output for output in events(view, columns, dims, zone)}
    made |= {output.name: output for output in derived(view.features, {n: each.type for n, each in made.items()})}
    own = (made[output] for name in view.features for output in output_names_of(view.features, name))
    return (*own, *used.values())


def taken(view: FeatureView, members: Members) -> Iterator[Output]:
    """What a view takes of its members: of each output it is made of, the value in the newest row of its history."""
    for member, names in view.operands().items():
        types = {output.name: output.type for output in members[member]}
        for name in names:
            yield Output(f"{member}.{name}", Latest(latest=name), Lifetime(), types[name], source=member)


def events(
    view: FeatureView,
    columns: Mapping[str, Mapping[str, LogicalType]],
    dims: Mapping[str, int],
    zone: str = "UTC",
) -> Iterator[Output]:
    """The outputs of the features that are made of rows."""
    for name, feature in view.features.items():
        if isinstance(feature, Derived):
            continue
        source = view.source_of(feature)
        for part, plain in feature.expand(name):
            for window, output in zip(plain.windows(zone), plain.names(part), strict=True):
                yield Output(output, plain, window, plain.output_type(columns[source], dims), source, zone)


def derived(features: Mapping[str, FeatureBase], types: Mapping[str, OutputType]) -> Iterator[Output]:
    """The outputs of the derived features, each after those it is made of; `types` are those of the other outputs."""
    known = dict(types)
    for name in in_order(features):
        feature = features[name]
        assert isinstance(feature, Derived)
        for each in derivations(features, name):
            kind = feature.derived_type(operand_types(feature, each, known))
            known[each.name] = kind
            yield Output(each.name, feature, Lifetime(), kind, source="", inputs=each.inputs)


def operand_types(feature: Derived, made: Derivation, known: Mapping[str, OutputType]) -> OperandTypes:
    """The types of each operand, by name; ValueError where it is not what the feature takes."""
    stands_for = dict(made.inputs)
    for operand in feature.operands():
        for output in stands_for[operand.name]:
            kind = known[output]
            single = not (kind.list or kind.map or kind.dim)
            fits = single if operand.vector is False else kind.dim is not None or (single and operand.vector is None)
            if not fits or (operand.types is not None and kind.base not in operand.types):
                raise ValueError(f"{output!r} is {kind.words}, but {operand.key} takes {operand.expected}")
    return {name: tuple(known[each] for each in outputs) for name, outputs in made.inputs}


def output_names(view: FeatureView) -> tuple[str, ...]:
    """The names of a view's outputs, which depend on nothing but its spec."""
    hidden = set(hidden_names(view))
    names = (output for name in view.features for output in output_names_of(view.features, name))
    return tuple(output for output in names if output not in hidden)


def hidden_names(view: FeatureView) -> tuple[str, ...]:
    """The names of outputs that are computed but not written."""
    return tuple(
        output for name, f in view.features.items() if f.hidden for output in output_names_of(view.features, name)
    )


def local_zone(specs: "Specs", view: FeatureView) -> str:
    """The zone of a view's local time: its own, or that of the first source it reads; UTC where it reads none."""
    return view.timezone or (specs.sources[view.reads[0]].timezone if view.reads else "UTC")


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
                picked = every if columns is None else tuple(o for each in columns for o in short_for(view, each))
            members[name] = tuple(dict.fromkeys((*members.get(name, ()), *picked)))
    return members


def short_for(view: FeatureView, name: str) -> tuple[str, ...]:
    """The outputs that a name stands for where features of a view are chosen; itself where it is none of the view's."""
    if name in output_names(view) or name not in view.features:
        return (name,)
    return output_names_of(view.features, name)


def _as(base: LogicalType, value: Any) -> Any:
    if base == "timestamp" and isinstance(value, str):
        return parse_instant(value)
    return float(value) if base == "float" and isinstance(value, int) else value

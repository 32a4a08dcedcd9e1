"""One feature view held against the columns of its sources: join keys, every feature, its condition and its default."""

from collections.abc import Iterator, Mapping

from limner.language.derivation import derivations, in_order
from limner.language.derived_base import Derived
from limner.language.errors import Problem
from limner.language.feature_base import FeatureBase
from limner.language.features import OfSequence
from limner.language.identity import entity_keys
from limner.language.models import FeatureView
from limner.language.outputs import Members, Output, events, operand_types, outputs, taken
from limner.language.places import Path
from limner.language.repo import Specs
from limner.language.scope import RawColumns, Scope
from limner.language.uses import Use, fits, misfit


class ViewColumns:
    """Checks of one feature view against the columns of its sources, by source."""

    def __init__(
        self, specs: Specs, view: FeatureView, columns: Mapping[str, Scope], raw: RawColumns, members: Members
    ) -> None:
        self.specs = specs
        self.members = members
        self.view = view
        self.raw = raw
        origin = self.origin = specs.origin("feature_view", view.feature_view)
        self.uses = {name: Use(origin, name, scope, joined=True) for name, scope in columns.items()}
        self.types = {name: use.types for name, use in self.uses.items()}
        self.dims = dict.fromkeys(specs.encoders, 0)  # nobody has looked at them yet
        self.own = {name: Use(origin, name, scope, joined=False) for name, scope in columns.items()}

    def problems(self) -> Iterator[Problem]:
        """Every problem, in no order."""
        if self.view.entity in self.specs.entities:
            entity = self.specs.entities[self.view.entity]
            for path, source in self.view.places_of_sources():
                yield from entity_keys(self.specs, self.own[source], path, entity, self.raw)
        sound = True
        for name, feature in self.view.features.items():
            if isinstance(feature, Derived):
                continue
            use = self.uses[self.view.source_of(feature)]
            found = list(self._feature(use, ("features", name), feature))
            yield from found
            sound &= not found
            if not found:
                yield from self._constants(use, ("features", name), feature)
                yield from self._default(use, ("features", name), feature)
        if sound:
            yield from self._derived()

    def outputs(self) -> tuple[Output, ...]:
        """What the view writes, where there are no problems; a vector of an encoder has dim 0."""
        return outputs(self.view, self.types, self.dims, members=self.members)

    def _derived(self) -> Iterator[Problem]:
        """Derived features whose operands they cannot take; one of them at a time, as others may follow from it."""
        operands = (*events(self.view, self.types, self.dims), *taken(self.view, self.members))
        known = {each.name: each.type for each in operands}
        for name in in_order(self.view.features):
            feature = self.view.features[name]
            assert isinstance(feature, Derived)
            for made in derivations(self.view.features, name):
                if not all(output in known for _, outputs in made.inputs for output in outputs):
                    continue
                try:
                    known[made.name] = feature.derived_type(operand_types(feature, made, known))
                except ValueError as error:
                    yield self.origin.problem(("features", name, feature.kind), str(error))
                    break

    def _feature(self, use: Use, path: Path, feature: FeatureBase) -> Iterator[Problem]:
        if feature.where is not None:
            yield from use.condition((*path, "where"), feature.where)
        if isinstance(feature, OfSequence):
            return  # the columns are named by its model, and looked at there
        for read in feature.reads():
            here = (*path, *read.path)
            if read.types is None:
                yield from use.column(here, read.column)
            else:
                yield from use.typed(here, read.column, read.types, read.why)

    def _constants(self, use: Use, path: Path, feature: FeatureBase) -> Iterator[Problem]:
        for here, value, column in feature.constants():
            if not fits(value, use.types[column]):
                yield use.origin.problem((*path, *here), misfit(value, use.types[column]))

    def _default(self, use: Use, path: Path, feature: FeatureBase) -> Iterator[Problem]:
        value = getattr(feature, "default", None)
        if value is None:
            return
        base = feature.output_type(use.types, {}).base
        items = value if isinstance(value, tuple) else (value,)
        for i, item in enumerate(items):
            if not fits(item, base):
                here: Path = (*path, "default", i) if isinstance(value, tuple) else (*path, "default")
                yield use.origin.problem(here, misfit(item, base))

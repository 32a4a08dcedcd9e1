"""One feature view held against the columns of its sources: join keys, every feature, its condition and its default."""

from collections.abc import Iterator, Mapping

from limner.language.errors import Problem
from limner.language.feature_base import FeatureBase
from limner.language.identity import entity_keys
from limner.language.models import FeatureView
from limner.language.places import Path
from limner.language.repo import Specs
from limner.language.scope import RawColumns, Scope
from limner.language.uses import Use, fits, misfit


class ViewColumns:
    """Checks of one feature view against the columns of its sources, by source."""

    def __init__(self, specs: Specs, view: FeatureView, columns: Mapping[str, Scope], raw: RawColumns) -> None:
        self.specs = specs
        self.view = view
        self.raw = raw
        origin = specs.origin("feature_view", view.feature_view)
        self.uses = {name: Use(origin, name, scope, joined=True) for name, scope in columns.items()}
        self.own = {name: Use(origin, name, scope, joined=False) for name, scope in columns.items()}

    def problems(self) -> Iterator[Problem]:
        """Every problem, in no order."""
        if self.view.entity in self.specs.entities:
            entity = self.specs.entities[self.view.entity]
            for path, source in self.view.places_of_sources():
                yield from entity_keys(self.specs, self.own[source], path, entity, self.raw)
        for name, feature in self.view.features.items():
            use = self.uses[self.view.source_of(feature)]
            found = list(self._feature(use, ("features", name), feature))
            yield from found
            if not found:
                yield from self._constants(use, ("features", name), feature)
                yield from self._default(use, ("features", name), feature)

    def _feature(self, use: Use, path: Path, feature: FeatureBase) -> Iterator[Problem]:
        if feature.where is not None:
            yield from use.condition((*path, "where"), feature.where)
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

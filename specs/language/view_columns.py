"""One feature view held against the columns of its source: join keys, every feature, its condition and its default."""

from collections.abc import Iterator

from limner.language.errors import Problem
from limner.language.feature_base import FeatureBase
from limner.language.models import FeatureView
from limner.language.places import Path
from limner.language.repo import Specs
from limner.language.scope import Scope
from limner.language.uses import Use, fits, join_key, misfit


class ViewColumns:
    """Checks of one feature view against the columns of its source."""

    def __init__(self, specs: Specs, view: FeatureView, columns: Scope) -> None:
        self.specs = specs
        self.view = view
        origin = specs.origin("feature_view", view.feature_view)
        self.use = Use(origin, view.source, columns, joined=True)
        self.own = Use(origin, view.source, columns, joined=False)

    def problems(self) -> Iterator[Problem]:
        """Every problem, in no order."""
        if self.view.entity in self.specs.entities:
            for key, kind in self.specs.entities[self.view.entity].join_keys.items():
                yield from join_key(self.own, ("source",), key, kind)
        for name, feature in self.view.features.items():
            found = list(self._feature(("features", name), feature))
            yield from found
            if not found:
                yield from self._constants(("features", name), feature)
                yield from self._default(("features", name), feature)

    def _feature(self, path: Path, feature: FeatureBase) -> Iterator[Problem]:
        if feature.where is not None:
            yield from self.use.condition((*path, "where"), feature.where)
        for read in feature.reads():
            here = (*path, *read.path)
            if read.types is None:
                yield from self.use.column(here, read.column)
            else:
                yield from self.use.typed(here, read.column, read.types, read.why)

    def _constants(self, path: Path, feature: FeatureBase) -> Iterator[Problem]:
        for here, value, column in feature.constants():
            if not fits(value, self.use.types[column]):
                yield self.use.origin.problem((*path, *here), misfit(value, self.use.types[column]))

    def _default(self, path: Path, feature: FeatureBase) -> Iterator[Problem]:
        value = getattr(feature, "default", None)
        if value is None:
            return
        base = feature.output_type(self.use.types, {}).base
        items = value if isinstance(value, tuple) else (value,)
        for i, item in enumerate(items):
            if not fits(item, base):
                here: Path = (*path, "default", i) if isinstance(value, tuple) else (*path, "default")
                yield self.use.origin.problem(here, misfit(item, base))

"""The questions of a model as feature views of their own, so that what reads, checks and computes views serves them."""

from dataclasses import dataclass, replace

from limner.language.errors import Problem
from limner.language.learning.document import LearnedModel
from limner.language.models import FeatureView
from limner.language.places import Origin, Path
from limner.language.repo import Specs


@dataclass(frozen=True)
class _Moved(Origin):
    """Problems of a question are told where it was written: as part of its model."""

    key: str = ""
    kind: str = ""

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """A problem of the view that stands for the question."""
        if path[:1] == ("source",):
            path = (self.kind, self.key, "from")
        elif path[:2] == ("features", self.key):
            path = (self.kind, self.key, *path[2:])
        return super().problem(path, message, at_key=at_key)


def questions(specs: Specs, model: LearnedModel) -> Specs:
    """The specs with a view in place of all others for each question of a model: `label`, and maybe `population`.

    Each view has one feature of its own name. That of `label` looks back: its value at `q + next` answers as of `q`.
    """
    views, origins = {}, dict(specs.origins)
    origin = specs.origin("model", model.model)
    for key, query in model.learns.queries:
        views[key] = FeatureView(
            feature_view=key,
            entity=model.about,
            source=query.from_,
            every=model.learns.every,
            features={key: query.feature()},
        )
        origins["feature_view", key] = _Moved(origin.file, origin.title, origin.places, key, model.learns.kind)
    return replace(specs, views=views, origins=origins)

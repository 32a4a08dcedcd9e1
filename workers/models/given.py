"""What a model is given: the places of its inputs, and what each stands for where that has a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from limner.language.features import Embed, Vector
from limner.language.features.fusion import Categories, Embedding, Scalars
from limner.language.learning.binding import read_by
from limner.language.models import LearnedModel
from limner.language.outputs import Output
from limner.language.repo import Specs
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.text.fit import read_fit
from limner.workers.text.terms import TermsModel


@dataclass(frozen=True)
class Place:
    """What a place stands for. `amount`: there is more or less of it; otherwise something is so or not."""

    name: str
    amount: bool = True

    @property
    def short(self) -> str:
        """Without the view."""
        return self.name.partition(".")[2] or self.name if self.amount else self.name


@dataclass(frozen=True)
class Given:
    """An input, `view.output`; `dim` None: a number. `places`: what each place of it stands for, None: nobody knows."""

    name: str
    dim: int | None
    places: tuple[Place | None, ...]


def given(specs: Specs, model: LearnedModel, root: Path, data: Path) -> tuple[Given, ...]:
    """The inputs of a model in its order; texts of the views must be encoded."""
    found = []
    for view, names in read_by(model, specs.views).items():
        plan = plan_view(specs, view, root, data)
        known = {output.name: output for output in plan.computed}
        for name in names:
            output = known[name]
            places = (Place(f"{view}.{name}"),) if output.type.dim is None else _places(plan, known, output)
            found.append(Given(f"{view}.{name}", output.type.dim, places))
    return tuple(found)


def _places(plan: ViewPlan, known: Mapping[str, Output], output: Output) -> tuple[Place | None, ...]:
    """Of a vector."""
    dim = output.type.dim or 0
    match output.feature:
        case Embed(encoder=encoder):
            terms = _terms(plan, encoder)
            return tuple(Place(term, amount=False) for term in terms) + (None,) * (dim - len(terms))
        case Vector(project=None, vector=parts):
            inputs = dict(output.inputs)
            found: list[Place | None] = []
            for part in parts:
                match part:
                    case Scalars(scalars=names):
                        found += [Place(f"{plan.name}.{each}") for name in names for each in inputs[name]]
                    case Categories(categories=name, values=values, other=other):
                        every = [*values, "other"] if other else values
                        found += [Place(f"{name}: {value}", amount=False) for value in every]
                    case Embedding(embedding=name):
                        found += _places(plan, known, known[inputs[name][0]])
            return tuple(found)
    return (None,) * dim


def _terms(plan: ViewPlan, encoder: str) -> Sequence[str]:
    """The terms that an encoder has learned to count, in the order of its places."""
    model = plan.encoders[encoder]
    if not isinstance(model, TermsModel) or model.fitted is None:
        return ()
    return tuple(read_fit(model.fitted))

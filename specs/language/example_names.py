"""The examples of a view held against the other documents: sources it reads, and features it has."""

from collections.abc import Iterator, Mapping

from limner.language.errors import Problem
from limner.language.features import encoders_of
from limner.language.members import reachable
from limner.language.models import Encoder, FeatureView, Source
from limner.language.outputs import output_names
from limner.language.places import Origin
from limner.language.suggest import did_you_mean

Named = tuple[Mapping[str, Source], Mapping[str, Encoder], Mapping[str, FeatureView]]
"""Sources, encoders and views by name."""


def readable(view: FeatureView, named: Named) -> tuple[str, ...]:
    """The sources a view's values depend on.

    Its own and those of the views it is made of, those their encoders learn from, and those that these look up.
    """
    sources, encoders, views = named
    all_views = (view, *(views[name] for name in reachable(views, view)))
    features = [feature for each in all_views for feature in each.features.values()]
    used = (encoders[name].learning for name in encoders_of(features) if name in encoders)
    learned = [each.source for each in used if each is not None]
    reads = [name for each in all_views for name in each.reads]
    own = [name for name in (*reads, *learned) if name in sources]
    return tuple(dict.fromkeys((*own, *(name for each in own for name in sources[each].others))))


def misnamed(origin: Origin, view: FeatureView, named: Named) -> Iterator[Problem]:
    """Sources that the view does not read, and values expected of features that it does not have."""
    if not view.examples:
        return
    read = readable(view, named)
    outputs = output_names(view)
    for i, example in enumerate(view.examples):
        for name in example.rows if read else ():
            if name not in read:
                text = f"the view does not read a source {name!r}: {did_you_mean(name, read)}"
                yield origin.problem(("examples", i, "rows", name), text, at_key=True)
        for name in example.expect:
            if name not in outputs:
                text = f"the view has no feature {name!r}: {did_you_mean(name, outputs)}"
                yield origin.problem(("examples", i, "expect", name), text, at_key=True)

"""The examples of a view held against the other documents: sources it reads, and features it has."""

from collections.abc import Iterator, Mapping

from limner.language.errors import Problem
from limner.language.features import encoders_of
from limner.language.models import Encoder, FeatureView, Source
from limner.language.outputs import output_names
from limner.language.places import Origin
from limner.language.suggest import did_you_mean


def readable(view: FeatureView, sources: Mapping[str, Source], encoders: Mapping[str, Encoder]) -> tuple[str, ...]:
    """The sources a view's values depend on: its own, those its encoders learn from, and those that these look up."""
    used = (encoders[name].tfidf for name in encoders_of(view.features.values()) if name in encoders)
    learned = [tfidf.source for tfidf in used if tfidf is not None]
    own = [name for name in (*view.reads, *learned) if name in sources]
    return tuple(dict.fromkeys((*own, *(name for each in own for name in sources[each].others))))


def misnamed(
    origin: Origin, view: FeatureView, sources: Mapping[str, Source], encoders: Mapping[str, Encoder]
) -> Iterator[Problem]:
    """Sources that the view does not read, and values expected of features that it does not have."""
    read = readable(view, sources, encoders)
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

"""Models of texts held against the columns of the sources they learn from."""

from collections.abc import Iterator

from limner.language.errors import Problem
from limner.language.features.derived import same_type
from limner.language.learning.classifier import Classifier
from limner.language.learning.document import LearnedModel
from limner.language.places import Path
from limner.language.repo import Specs
from limner.language.scope import RawColumns, scope
from limner.language.types import OutputType
from limner.language.uses import Use


def unlabelled(specs: Specs, model: LearnedModel, raw: RawColumns, known: set[str]) -> Iterator[Problem]:
    """Columns of a text, or of its label, that are not there, and classes that no label can mean."""
    texts = model.texts
    assert texts is not None
    origin = specs.origin("model", model.model)
    for place, source, text in texts.reads:
        if source in known:
            use = Use(origin, source, scope(specs, source, raw), joined=True)
            for column in text.columns:
                yield from use.column((texts.kind, *place, "text"), column)
    classes = texts if isinstance(texts, Classifier) else texts.as_classes
    if classes is None or classes.label.source not in known:
        return
    label = classes.label
    own = texts is classes
    use = Use(origin, label.source, scope(specs, label.source, raw), joined=True)
    found = list(use.column((texts.kind, "label" if own else "truth", "column"), label.column))
    yield from found
    for name, values in classes.values.items() if not found else ():
        try:
            same_type(values, OutputType(use.types[label.column]))
        except ValueError as error:
            path: Path = (texts.kind, "classes") if own else (texts.kind, "truth", "tags")
            path = (*path, name) if isinstance(classes.classes, dict) else path
            said = str(error).replace("the category", "the class" if own else "the tag").replace("feature", "label")
            yield origin.problem(path, said)

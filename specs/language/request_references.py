"""Rules between a request view and other documents: every name that a feature reads exists, and is of its entity."""

from collections.abc import Iterator, Mapping

from limner.language.derivation import output_names_of
from limner.language.documents import Parsed
from limner.language.errors import Problem
from limner.language.models import Entity, FeatureView, Profile, RequestView
from limner.language.outputs import output_names
from limner.language.request_features import in_order
from limner.language.suggest import did_you_mean, listed

Names = Mapping[str, Mapping[str, Parsed]]


def request_view(parsed: Parsed, view: RequestView, names: Names, complete: bool) -> Iterator[Problem]:
    """Problems of one request view; `complete` as in `references.unresolved`."""
    if view.request_view in names["feature_view"]:
        text = f"there is a feature view {view.request_view!r}: readers ask for both by name, so rename one"
        yield parsed.origin.problem(("request_view",), text)
    if complete and view.entity not in names["entity"]:
        text = f"there is no entity {view.entity!r}: {did_you_mean(view.entity, names['entity'])}"
        yield parsed.origin.problem(("entity",), text)
    entity = names["entity"][view.entity].model if view.entity in names["entity"] else None
    operands: dict[str, None] = {}
    for place, name in (*(("request", n) for n in view.request), *(("features", n) for n in view.features)):
        if isinstance(entity, Entity) and name in entity.join_keys:
            text = f"{name!r} is a join key of {view.entity!r}: rename it"
            yield parsed.origin.problem((place, name), text, at_key=True)
    for name, feature in view.features.items():
        for key, read in dict.fromkeys(feature.reads):
            found = _operand(view, read, names, complete) if "." in read else _own(view, name, read, names)
            if found:
                yield parsed.origin.problem(("features", name, key), found)
            operands |= {read: None} if "." in read else {}
    yield from _circles(parsed, view)
    if not operands:
        text = ("reads no feature of a view: a request view is about an entity, "
                "so at least one of its features reads view.feature")  # fmt: skip
        yield parsed.origin.problem(("features",), text, at_key=True)
    for operand in operands:
        _, short = operand.split(".", 1)
        for place in ("request", "features"):
            if short in getattr(view, place):
                text = f"{operand} is read here, too, and Feast tells names apart without their views: rename one"
                yield parsed.origin.problem((place, short), text, at_key=True)


def _circles(parsed: Parsed, view: RequestView) -> Iterator[Problem]:
    """The features that read each other in a circle."""
    left = {name: view.features[name] for name in view.features.keys() - set(in_order(view.features))}
    reads = {name: {read for _, read in feature.reads} & left.keys() for name, feature in left.items()}
    for name in sorted(left):
        found, queue = set[str](), [name]
        while queue:
            queue += reads[queue.pop()] - found
            found |= set(queue)
        if name in found and len(found) > 1:
            others = [other for other in sorted(found) if other != name]
            text = f"reads itself by way of {listed(others, 'and')}: features cannot read each other in a circle"
            yield parsed.origin.problem(("features", name), text, at_key=True)


def _own(view: RequestView, name: str, read: str, names: Names) -> str:
    """What is wrong with a bare name."""
    known = [*view.request, *view.features]
    if read in known:
        return "a feature cannot read itself" if read == name else ""
    holders = [each for each, parsed in names["feature_view"].items() if read in _valid(parsed, view.entity)]
    if holders:
        return f"there is no field of the request {read!r}: did you mean {holders[0] + '.' + read!r}?"
    return f"there is no field of the request or other feature {read!r}: {did_you_mean(read, known)}"


def _operand(view: RequestView, read: str, names: Names, complete: bool) -> str:
    """What is wrong with `view.feature`."""
    about, feature = read.split(".", 1)
    if about not in names["feature_view"]:
        own = [each for each, parsed in names["feature_view"].items() if _valid(parsed, view.entity)]
        return f"there is no feature view {about!r}: {did_you_mean(about, own)}" if complete else ""
    model = names["feature_view"][about].model
    if not isinstance(model, FeatureView):
        return ""
    if model.entity != view.entity and view.entity in names["entity"]:
        return (f"the view {about!r} is about {model.entity!r}, the request view about {view.entity!r}: "
                "it reads views of one entity")  # fmt: skip
    valid = _valid(names["feature_view"][about], model.entity)
    if feature in valid:
        return ""
    if feature in model.features and not model.features[feature].hidden:
        windows = listed(output_names_of(model.features, feature))
        return f"{feature!r} of the view {about!r} has several windows: write {windows}"
    return f"the view {about!r} has no feature {feature!r}: {did_you_mean(feature, valid)}"


def _valid(parsed: Parsed, entity: str) -> list[str]:
    """The outputs of a view of an entity; none of another's."""
    if not isinstance(parsed.model, FeatureView) or parsed.model.entity != entity:
        return []
    return list(output_names(parsed.model))


def profile_fields(parsed: Parsed, profile: Profile, names: Names) -> Iterator[Problem]:
    """Request views of one profile agree about the fields that they share: a request brings each once."""
    first: dict[str, tuple[str, object]] = {}
    for i, member in enumerate(profile.features):
        for name in [member] if isinstance(member, str) else member:
            model = names["request_view"][name].model if name in names["request_view"] else None
            if isinstance(model, RequestView):
                for field, kind in model.request.items():
                    other, before = first.setdefault(field, (name, kind))
                    if before != kind:
                        text = f"the request field {field!r} is of one type in {other!r} and of another in {name!r}"
                        yield parsed.origin.problem(("features", i), f"{text}: rename one")

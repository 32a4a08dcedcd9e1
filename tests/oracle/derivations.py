"""Random derived features over the outputs of others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from limner.language.models import FeatureView
from limner.language.outputs import computed
from limner.language.types import LogicalType, OutputType
from tests.oracle.encoders import DIM

CATEGORIES: dict[LogicalType, list[Any]] = {
    "int": [0, 1, 2], "string": ["a", "b", "é", "p"], "bool": [True, False], "float": [0.1, 2.5],
}  # fmt: skip


def with_derived(
    draw: st.DrawFn,
    view: Mapping[str, Any],
    columns: Mapping[str, Mapping[str, LogicalType]],
    instants: Sequence[str],
    most: int = 3,
) -> dict[str, Any]:
    """The document of a view with up to `most` derived features among its others, some of which may be hidden.

    `columns` are those of its sources, by source; `instants` are those of fits.
    """
    features = dict(view["features"])
    for number in range(draw(st.integers(0, most))):
        model = FeatureView.model_validate({**view, "features": features})
        known = {each.name: each.type for each in computed(model, columns, Dims())}
        kinds = [kind for kind in KINDS if kind is not _unary or _numbers(known)]
        doc = draw(st.sampled_from(kinds))(draw, features, known, instants)
        if doc is not None:
            features[f"d{number}"] = doc
    if draw(st.integers(0, 2)) == 0:
        name = draw(st.sampled_from([*features]))
        if len(features) > 1:
            features[name] = {**features[name], "hidden": True}
    order = draw(st.permutations([*features]))
    return {**view, "features": {name: features[name] for name in order}}


class Dims(dict[str, int]):
    """All encoders make vectors of one length."""

    def __missing__(self, encoder: str) -> int:
        return DIM


Known = Mapping[str, OutputType]


def _numbers(known: Known) -> list[str]:
    return [name for name, kind in known.items() if kind.base in ("int", "float") and not kind.list and not kind.map]


def _single(known: Known) -> list[str]:
    return [name for name, kind in known.items() if not kind.list and not kind.map]


def _unary(draw: st.DrawFn, features: Mapping[str, Any], known: Known, instants: Sequence[str]) -> dict[str, Any]:
    kind = draw(st.sampled_from(["zscore", "zscore", "minmax", "log1p", "bucket"]))
    # a feature of several windows, too: one value for each
    many = [name for name, doc in features.items() if isinstance(doc.get("over"), list)]
    of = [
        name for name in many if all(k.base in ("int", "float") and not k.list and not k.map for k in _of(name, known))
    ]
    doc: dict[str, Any] = {kind: draw(st.sampled_from([*_numbers(known), *of]))}
    if kind in ("zscore", "minmax"):
        doc["fit"] = draw(st.sampled_from(instants))
    if kind == "bucket":
        doc["bounds"] = sorted(draw(st.sets(st.sampled_from([-1, 0, 0.1, 1, 2.5, 3]), min_size=1, max_size=3)))
        if draw(st.booleans()):
            doc["labels"] = ["none", "few", "some", "many"][: len(doc["bounds"]) + 1]
    return doc


def _of(name: str, known: Known) -> list[OutputType]:
    return [kind for output, kind in known.items() if output.startswith(f"{name}_")]


def _ratio(draw: st.DrawFn, _: Mapping[str, Any], known: Known, __: Sequence[str]) -> dict[str, Any] | None:
    numbers = _numbers(known)
    return {"ratio": [draw(st.sampled_from(numbers)), draw(st.sampled_from(numbers))]} if numbers else None


def _expression(draw: st.DrawFn, _: Mapping[str, Any], known: Known, __: Sequence[str]) -> dict[str, Any] | None:
    numbers = _numbers(known)
    if not numbers:
        return None
    a, b = draw(st.sampled_from(numbers)), draw(st.sampled_from(numbers))
    return {
        "expression": draw(
            st.sampled_from([
                f"{a} - {b}", f"{a} * 2.0 / (1 + abs({b}))", f"coalesce({a}, -1) > {b}", f"if({a} > 0, sqrt({a}), {b})",
                f"greatest({a}, {b}, 1)", f"{a} is null and not {b} = 0", f"round({a} / 3)",
            ])
        )
    }  # fmt: skip


def _category(draw: st.DrawFn, _: Mapping[str, Any], known: Known, __: Sequence[str]) -> dict[str, Any] | None:
    single = [name for name in _single(known) if known[name].base in CATEGORIES]
    if not single:
        return None
    name = draw(st.sampled_from(single))
    if draw(st.integers(0, 2)) == 0:
        return {"hash": name, "buckets": draw(st.sampled_from([2, 7, 1000]))}
    values = draw(st.lists(st.sampled_from(CATEGORIES[known[name].base]), min_size=1, unique=True))
    return {"one_hot": name, "categories": values, "other": draw(st.booleans())}


def _vector(draw: st.DrawFn, _: Mapping[str, Any], known: Known, instants: Sequence[str]) -> dict[str, Any] | None:
    parts: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["scalars", "scalars", "categories", "embedding"]))
        names = {
            "scalars": _numbers(known),
            "categories": [name for name in _single(known) if known[name].base in CATEGORIES],
            "embedding": [name for name, each in known.items() if each.dim == DIM],
        }[kind]
        if not names:
            continue
        part: dict[str, Any] = {kind: draw(st.sampled_from(names))}
        if kind == "scalars":
            part["scalars"] = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))
            part["scale"] = draw(st.sampled_from(["none", "zscore", "minmax", "log1p"]))
        if kind == "categories":
            part["values"] = draw(
                st.lists(st.sampled_from(CATEGORIES[known[part[kind]].base]), min_size=1, unique=True)
            )
            part["other"] = draw(st.booleans())
        if draw(st.booleans()):
            part["weight"] = draw(st.sampled_from([0.5, 2, 1e-3]))
        parts.append(part)
    if not parts:
        return None
    doc: dict[str, Any] = {"vector": parts, "normalize": draw(st.booleans())}
    if any(part.get("scale") in ("zscore", "minmax") for part in parts):
        doc["fit"] = draw(st.sampled_from(instants))
    return doc


KINDS: list[Callable[..., dict[str, Any] | None]] = [_unary, _unary, _ratio, _expression, _category, _vector]

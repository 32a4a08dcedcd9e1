"""Over generated specs: a fingerprint changes with whatever can change a value, and with nothing else."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from limner.language.errors import SpecError
from limner.language.fingerprint import fingerprint
from limner.language.repo import Specs, load_texts
from tests.oracle.derivations import with_derived
from tests.oracle.features import features
from tests.oracle.generate import STEPS, WINDOWS
from tests.oracle.layouts import cleaning, layouts

Docs = list[dict[str, Any]]
Path = tuple[str | int, ...]
ENCODERS = {"tiny": "1", "words": "2", "terms": "3"}  # by name, their own fingerprints
NOT_VALUES = {"description", "owner", "tags", "online", "examples"}
_DURATION = re.compile(r"[1-9][0-9]*[smhdw]")


@st.composite
def documents(draw: st.DrawFn) -> Docs:
    """One view over one source with its lookups, entities and encoders."""
    layout = draw(layouts(draw(st.sampled_from(["UTC", "Europe/London"]))))
    docs: Docs = [*layout.entities, {"encoder": "tiny", "model": "models/tiny"}, {"encoder": "words", "hashing": {}}]
    docs.append({"encoder": "terms", "tfidf": {"source": "events", "text": "{s}", "fit": "2024-03-01T00:00:00Z"}})
    docs += [{"source": name, "path": f"data/{name}.parquet"} for name in layout.lookups]
    if layout.linked:
        docs.append({"source": "links", "path": "data/links.parquet", "event_timestamp": "linked"})
    if not layout.happened:
        layout.source["since"] = "2024-01-01T00:00:00Z"
    docs.append(layout.source | draw(cleaning(layout)))
    step, at = draw(st.sampled_from(STEPS))
    view: dict[str, Any] = {
        "feature_view": "view",
        "entity": draw(st.sampled_from(["user", "item"])),
        "source": "events",
        "every": step,
    }
    view |= ({"at": at} if at else {}) | {"features": draw(features(WINDOWS, layout.columns))}
    docs.append(with_derived(draw, view, {"events": layout.columns}, ["2024-02-01T00:00:00Z", "2024-05-01T00:00:00Z"]))
    return docs


def _load(docs: Docs) -> Specs:
    return load_texts({"spec.yaml": "\n---\n".join(map(json.dumps, docs))})


def _identity(docs: Docs) -> str:
    return fingerprint(_load(docs), "view", ENCODERS)


@given(documents(), st.randoms())
@settings(max_examples=60, deadline=None)
def test_order_and_words_for_people_do_not_count(docs: Docs, random: Any) -> None:
    """Every mapping in another order, other documents first, everything described."""
    other = [_shuffled(doc, random) for doc in copy.deepcopy(docs)]
    random.shuffle(other)
    for doc in other:
        doc["description"] = "words"
        if "feature_view" in doc:
            doc |= {"owner": "somebody", "tags": {"team": "x"}, "online": False}
            for feature in doc["features"].values():
                feature["description"] = "more words"
    assert _identity(other) == _identity(docs)


@given(documents(), st.data())
@settings(max_examples=200, deadline=None)
def test_whatever_can_change_a_value_counts(docs: Docs, data: st.DataObject) -> None:
    """One value anywhere in the documents of a view becomes another one."""
    number, path = data.draw(st.sampled_from(list(_leaves(docs))))
    other = copy.deepcopy(docs)
    place: Any = other[number]
    for step in path[:-1]:
        place = place[step]
    written = place[path[-1]]
    place[path[-1]] = f"coalesce({written}, {written})" if path[-1] == "expression" else _another(written)
    try:
        specs = _load(other)
    except SpecError:
        assume(False)  # another value made no sense there
        return
    assert fingerprint(specs, "view", ENCODERS) != _identity(docs), (path, place[path[-1]])


def _leaves(docs: Docs) -> Iterator[tuple[int, Path]]:
    """The places of all values that can decide a value of the view."""
    view = next(doc for doc in docs if "feature_view" in doc)
    for number, doc in enumerate(docs):
        if "encoder" in doc or ("entity" in doc and "feature_view" not in doc and "source" not in doc
                                and doc["entity"] != view["entity"]):  # fmt: skip
            continue  # an encoder counts by its own fingerprint; another entity not at all
        for path in _paths(doc, ()):
            owner = (
                "source" in doc and "feature_view" not in doc and path == ("entity",)
            )  # whom rows are about: a check
            if (
                path[-1] not in NOT_VALUES
                and not owner
                and (len(path) > 1 or path[0] not in ("encoder", "feature_view"))
            ):
                yield number, path


def _paths(node: Any, path: Path) -> Iterator[Path]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _paths(value, (*path, key))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from _paths(value, (*path, position))
    else:
        yield path


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if value == "lifetime" or _DURATION.fullmatch(value):
        return "11d"
    if re.match(r"\d{4}-\d\d-\d\d", value):
        return "2023-11-11T00:00:00Z"
    if re.search(r"[=<>]| is | in | like |between", value):
        return f"not ({value})"
    return f"{value}x"


def _shuffled(node: Any, random: Any) -> Any:
    if isinstance(node, list):
        return [_shuffled(item, random) for item in node]
    if not isinstance(node, dict):
        return node
    keys = list(node)
    random.shuffle(keys)
    return {key: _shuffled(node[key], random) for key in keys}

"""Whatever is written in a spec, the answer is specs or a list of problems with places: never a crash."""

import contextlib
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.language.columns import check
from limner.language.errors import Problem, SpecError
from limner.language.models import LogicalType
from limner.language.reader import read
from limner.language.repo import load_texts
from tests.language.examples import BASE, RAW
from tests.language.test_fingerprint import SPEC

_DOCUMENTS = [document.data for document in read(f"{BASE}\n---{SPEC}", "spec.yaml")[0]]
_COLUMNS: dict[str, dict[str, LogicalType]] = {
    **RAW,
    "events": {
        "user_id": "int", "shop": "string", "a": "string", "b": "int", "title": "string", "ts": "timestamp",
        "made": "timestamp", "item": "int", "device": "string", "dt": "string", "A": "string",
    },
    "links": {"id": "string", "linked": "timestamp"},
    "items": {"item": "int", "kind": "string"},
    "times": {"user_id": "int", "shop": "string"},
}  # fmt: skip
_WORDS = st.sampled_from(
    ["count", "sum", "over", "where", "features", "entity", "source", "feature_view", "clean", "lookup", "path", "7d",
     "a", "lifetime", "event_timestamp", "*", "quantity > 0", "{a}", "purchases", "household", "taste", "", "none"]
)  # fmt: skip
_SCALARS = st.one_of(_WORDS, st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=5))
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=3)),
    max_leaves=5,
)


def _paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(deeper for key, value in items for deeper in _paths(value, (*path, key)))]


_PLACES = [(i, path) for i, document in enumerate(_DOCUMENTS) for path in _paths(document)]


def _replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = _replaced(copy[path[0]], path[1:], value)
    return copy


def test_the_specs_that_are_changed_below_are_correct() -> None:
    check(load_texts({"spec.yaml": yaml.safe_dump_all(_DOCUMENTS)}), _COLUMNS)


@given(st.lists(st.tuples(st.sampled_from(_PLACES), _VALUES), min_size=1, max_size=2))
@settings(max_examples=150, deadline=None)
def test_any_value_anywhere_gives_specs_or_problems(changes: list[tuple[tuple[int, tuple[Any, ...]], Any]]) -> None:
    documents = list(_DOCUMENTS)
    for (i, path), value in changes:
        with contextlib.suppress(TypeError, KeyError, IndexError):
            documents[i] = _replaced(documents[i], path, value)
    _read(yaml.safe_dump_all(documents, allow_unicode=True))


@given(st.integers(0, len(SPEC)), st.integers(0, 30), st.text(max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_edit_of_the_text_gives_specs_or_problems(at: int, length: int, typed: str) -> None:
    _read(SPEC[:at] + typed + SPEC[at + length :])


def _read(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        check(load_texts({"spec.yaml": text}), _COLUMNS)
    except SpecError as error:
        problems = error.problems or (Problem("", 0, 0, "", ""),)
    assert all(1 <= problem.line <= text.count("\n") + 2 for problem in problems)
    assert all(problem.message for problem in problems)

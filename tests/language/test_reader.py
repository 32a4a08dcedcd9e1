"""YAML is read strictly: nothing is guessed, nothing is lost, and every place is known."""

from typing import Any

import pytest

from limner.language.reader import MAX_NODES, read


def _data(text: str) -> Any:
    documents, problems = read(text, "a.yaml")
    assert not problems, problems
    return documents[0].data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("True", "True"),
        ("true", True), ("false", False),
        ("12:30", "12:30"), ("12:30:00", "12:30:00"), ("2026-01-31", "2026-01-31"), ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("010", 10), ("-7", -7), ("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("7d", "7d"), ("'7'", "7"),
        ('"true"', "true"),
        ("1.2.3", "1.2.3"), ("=", "="), (".inf", ".inf"), (".nan", ".nan"), ("!!str 7", "7"),
    ],
)  # fmt: skip
def test_a_plain_scalar_is_what_it_looks_like(text: str, value: object) -> None:
    found = _data(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert _data("{on: 1, 7: 2, null: 3, true: 4}") == {"on": 1, "7": 2, "null": 3, "true": 4}


def test_every_key_and_value_has_its_place() -> None:
    documents, _ = read("a:\n  - b: {c: 7}\n---\nd: 1\n", "a.yaml")
    places = documents[0].origin.places
    assert places["a", 0, "b", "c"].key == (2, 9)
    assert places["a", 0, "b", "c"].value == (2, 12)
    assert documents[1].origin.places[("d",)].key == (4, 1)


def test_of_two_equal_keys_the_first_is_kept_and_the_second_reported() -> None:
    documents, problems = read("a: 1\nb: 2\na: 3\n", "a.yaml")
    assert documents[0].data == {"a": 1, "b": 2}
    assert [(p.line, p.column) for p in problems] == [(3, 1)]


def test_a_syntax_error_keeps_the_documents_before_it() -> None:
    documents, problems = read("a: 1\n---\nb: [1\n", "a.yaml")
    assert [document.data for document in documents] == [{"a": 1}]
    assert len(problems) == 1


def test_empty_documents_and_comments_are_nothing() -> None:
    assert read("# only a comment\n---\n---\n", "a.yaml") == ([], [])
    assert read("", "a.yaml") == ([], [])


def test_an_alias_stands_for_its_anchor() -> None:
    assert _data("a: &windows [7d, 30d]\nb: *windows") == {"a": ["7d", "30d"], "b": ["7d", "30d"]}


def test_aliases_cannot_blow_up_a_document() -> None:
    levels = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 8))
    documents, problems = read(f"l0: &l0 [{', '.join('x' * 10)}]\n{levels}\n", "a.yaml")
    assert documents == []
    assert str(MAX_NODES) in problems[0].message


def test_an_alias_of_itself_is_an_error() -> None:
    documents, problems = read("a: &a [*a]\n", "a.yaml")
    assert (documents, len(problems)) == ([], 1)


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/name:os.system x",
        "a: !!timestamp 2020-01-01",
        "a: !!binary aGk=",
        "!mine {a: 1}",
        "a: !!set {b, c}",
    ],
)
def test_no_tag_makes_an_object(text: str) -> None:
    _, problems = read(text, "a.yaml")
    assert "is not allowed here" in problems[0].message


def test_a_character_yaml_does_not_allow_has_its_place() -> None:
    _, problems = read("a: 1\nb: x\x07y\n", "a.yaml")
    assert problems
    assert problems[0].line == 2


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    _, problems = read("[" * 3000 + "]" * 3000, "a.yaml")
    assert len(problems) == 1

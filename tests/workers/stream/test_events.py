"""What an event may hold: whatever can be read again from a line of a file, and no more."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.language.models import Source
from limner.workers.stream.events import DEEPEST, MOST_KEYS, Reader, RefusedError

SOURCE = Source.model_validate(
    {"source": "taps", "path": "data/taps", "format": "jsonl", "event_timestamp": "at", "created_timestamp": "received",
     "stream": {"id": "tap", "lateness": "1d"}}
)  # fmt: skip


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1, 400, 990, 5000, 100_000])
def test_how_deep_an_event_may_be_is_said(depth: int) -> None:
    """Objects and lists in one another: how deep a program can look hangs on where it was called."""
    inner = depth - 1
    for body in (b"[" * inner + b"1" + b"]" * inner, b'{"x":' * inner + b"1" + b"}" * inner):
        event = b'{"tap": "t", "x": ' + body + b"}"
        if depth <= DEEPEST:
            assert Reader(SOURCE, {}).read(event).id == "t"
        else:
            with pytest.raises(RefusedError, match="nested more than 64 deep"):
                Reader(SOURCE, {}).read(event)


def test_keys_make_columns() -> None:
    """Each has a name, and there are so many and no more; what is within them is nobody's column."""
    reader = Reader(SOURCE, {})
    with pytest.raises(RefusedError, match="a key without a name"):
        reader.read(b'{"tap": "t", "": 1}')
    wide = {"tap": "t"} | {f"k{n}": {"": n} for n in range(MOST_KEYS - 2)}
    reader.learn(reader.read(json.dumps(wide).encode()))
    reader.learn(reader.read(b'{"tap": "t", "one more": 1}'))
    reader.learn(reader.read(b'{"tap": "t", "k7": 1}'))
    with pytest.raises(RefusedError, match="1000 of 1000 already"):
        reader.learn(reader.read(b'{"tap": "t", "too many": 1}'))


def test_nothing_is_no_event() -> None:
    """As a record without a value is."""
    for body in (b"", b" \n"):
        with pytest.raises(RefusedError, match="is empty"):
            Reader(SOURCE, {}).read(body)


letters = st.sampled_from(["a", "A", "é", "\0", "\x1f", "\ud800", "\udfff", "\ud83d\ude00", "🙂", "\\", "u0000", '"'])
words = st.lists(letters, max_size=4).map("".join)
numbers = st.sampled_from([0, -1.5, 1e300, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**18, 10**30])
values: Any = st.recursive(
    st.none() | st.booleans() | numbers | words, lambda some: st.lists(some, max_size=3) | st.dictionaries(words, some)
)


def can_be_kept(value: Any) -> bool:
    """What every reader of JSON Lines can hold, and Parquet too."""
    if isinstance(value, str):
        return "\0" not in value and value.encode(errors="replace") == value.encode(errors="surrogatepass")
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    if isinstance(value, dict):
        return all(map(can_be_kept, (*value, *value.values()))) and len({key.lower() for key in value}) == len(value)
    return not isinstance(value, list) or all(map(can_be_kept, value))


@given(st.dictionaries(words, values, max_size=3), st.booleans())
def test_an_event_is_taken_as_it_is_or_refused(row: dict[str, Any], ascii_only: bool) -> None:
    """However its letters are escaped."""
    event = {**row, "tap": "t"}
    text = json.dumps(event, ensure_ascii=ascii_only)
    body = text.encode(errors="surrogatepass")
    event = json.loads(text)  # two escaped halves are one letter
    if can_be_kept(event) and "" not in event:
        found = Reader(SOURCE, {}).read(body)
        assert found.row == event
        assert json.loads(Reader(SOURCE, {}).line(found, "now")) == {**event, "received": "now"}
    else:
        with pytest.raises(RefusedError):
            Reader(SOURCE, {}).read(body)


@pytest.mark.parametrize(
    "body", [b'{"tap": 1, "tap": 2}', b'{"tap": 1, "x": {"a": 1, "A": 2}}', b'{"tap": 1, "TAP": 1}']
)
def test_a_key_comes_once_whatever_its_case(body: bytes) -> None:
    with pytest.raises(RefusedError, match="comes twice"):
        Reader(SOURCE, {}).read(body)


def test_a_key_is_spelled_as_it_was_before() -> None:
    """What is refused teaches nothing."""
    reader = Reader(SOURCE, {})
    reader.learn(reader.read(b'{"tap": 1, "Kind": "a"}'))
    with pytest.raises(RefusedError, match="has the key 'kind', which is written 'Kind'"):
        reader.learn(reader.read(b'{"tap": 2, "new": 1, "kind": "a"}'))
    reader.learn(reader.read(b'{"tap": 3, "NEW": 1}'))

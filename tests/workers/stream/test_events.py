"""What an event may hold: whatever can be read again from a line of a file, and no more."""

import pytest

from limner.language.models import Source
from limner.workers.stream.events import DEEPEST, Reader, RefusedError

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


def test_nothing_is_no_event() -> None:
    """As a record without a value is."""
    for body in (b"", b" \n"):
        with pytest.raises(RefusedError, match="is empty"):
            Reader(SOURCE, {}).read(body)

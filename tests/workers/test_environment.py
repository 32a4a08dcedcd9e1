"""Secrets come from the environment and stay out of messages."""

import pytest

from limner.language.errors import LimnerError
from limner.workers.environment import expand, mask


def test_variables_expand_and_a_missing_one_is_named() -> None:
    """`${NAME}` only: `$NAME` and `{NAME}` are plain text."""
    assert expand("a${X}b${Y_1}$X{X}", "here", {"X": "1", "Y_1": ""}) == "a1b$X{X}"
    with pytest.raises(LimnerError, match=r"here: the environment variable X is not set: `export X="):
        expand("${X}", "here", {})


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://user:pa/s:s@w@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("cannot reach 'redis://:secret@h:1' twice", "cannot reach 'redis://:***@h:1' twice"),
        ("postgresql://h/db?user=u&password=abc&x=1", "postgresql://h/db?user=u&password=***&x=1"),
        ("host=h PASSWORD = abc user=u", "host=h PASSWORD = *** user=u"),
        ("s3://bucket/key and http://host:8080/path", "s3://bucket/key and http://host:8080/path"),
    ],
)
def test_passwords_are_masked_and_the_rest_is_left(text: str, masked: str) -> None:
    """What a reader needs to find the fault stays."""
    assert mask(text) == masked

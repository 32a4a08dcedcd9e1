"""How tests run the `limner` command."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from limner.cli.main import run


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Limner = Callable[..., Ended]


@pytest.fixture
def limner(capfd: pytest.CaptureFixture[str]) -> Limner:
    """Run `limner ARGUMENTS` in this process: Feast is imported once for all tests."""

    def invoke(*arguments: object) -> Ended:
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return invoke

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


def hearing_ctrl_c(command: list[str]) -> list[str]:
    """Return a command that hears SIGINT: shells start background jobs, and so whole test runs, deaf to it."""
    return ["env", "--default-signal=INT", *command]


Limner = Callable[..., Ended]


@pytest.fixture
def limner(capfd: pytest.CaptureFixture[str]) -> Limner:
    """Run `limner ARGUMENTS` in this process: Feast is imported once for all tests."""

    def invoke(*arguments: object) -> Ended:
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return invoke

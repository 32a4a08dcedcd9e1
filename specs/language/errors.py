"""Errors a user can act on: every one says where, what was found, what was expected and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass


class LimnerError(Exception):
    """An expected failure (exit code 1): the message alone must tell the user what to do next."""


class UnknownNameError(LimnerError):
    """A name that was asked for and that there is not."""


class UnavailableError(LimnerError):
    """What was asked for is right, and cannot be answered now: another time it may be."""


@dataclass(frozen=True, order=True)
class Problem:
    """One finding in a spec. `line` and `column` count from 1; `path` is the breadcrumb of keys."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """Render as `file:line:column: path: message`, which editors make clickable."""
        crumb = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {crumb}{self.message}"


class SpecError(LimnerError):
    """All problems of one load or check, reported together, sorted by place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))

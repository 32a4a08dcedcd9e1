"""The first line of an explanation."""

from typing import Protocol

from limner.cli import output


class Explained(Protocol):
    """Whose version said it, and of when; instants in µs."""

    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def cut_off(self) -> int: ...  # noqa: D102
    @property
    def instant(self) -> int: ...  # noqa: D102


def heading(key: str, found: Explained, what: str) -> None:
    """Print of whom it is and `what` is explained, with the version that said it."""
    output.console().print(
        f"[bold]{key} · {what}[/bold] · as of {output.instant(found.instant)} · model {found.model}, version "
        f"{found.version}, cut-off {output.instant(found.cut_off)}",
        soft_wrap=True,
    )

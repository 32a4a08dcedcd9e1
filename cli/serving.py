"""What `get`, `show` and `similar` share: opening the online store, choosing what to read, reading keys."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.online.store import Store

ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", "-p", metavar="NAME", help="A profile or feature view. Default: the only profile."),
]


def open_store(root: Path) -> "Store":
    """Open the project's online values; imports neither Feast, Ray nor torch."""
    from limner.workers.online.store import Store

    return Store(root)


def choose(store: "Store", name: str | None) -> str:
    """Return the profile or view to read: the one named, or the only one there is."""
    if name is not None:
        return name
    profiles = sorted(store.profiles())
    views = sorted(view.name for view in store.views())
    for names in (profiles, views):
        if len(names) == 1:
            return names[0]
    if not views:
        raise LimnerError("nothing is online yet: run `limner apply`, then `limner materialize START END`")
    raise LimnerError(f"say which with --profile NAME: {', '.join([*profiles, *views])}")


def join_keys(store: "Store", name: str) -> tuple[str, ...]:
    """Return the join keys of a view, or of a profile's first view; () where nothing of it is online."""
    views = {view.name: view.keys for view in store.views()}
    members = store.profiles().get(name, {name: []})
    return next((views[view] for view in members if view in views), ())


def parse_key(text: str, names: tuple[str, ...]) -> Any:
    """Read a key from the command line: its value, or the values of several join keys with commas between."""
    return tuple(text.split(",")) if len(names) > 1 else text

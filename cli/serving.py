"""What `get`, `show` and `similar` share: opening the online store, choosing what to read, reading keys."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.online.pack import Column
    from limner.workers.online.store import Store

ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", "-p", metavar="NAME", help="A profile or a view. Default: the only profile."),
]


RequestOption = Annotated[
    list[str] | None,
    typer.Option(
        "--request", "-r", metavar="NAME=VALUE", help="A field of the request; may be given several times. Empty: null."
    ),
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
    if len(profiles) == 1:
        return profiles[0]
    views = sorted(view.name for view in store.views())
    if len(views) == 1:
        return views[0]
    if not views:
        raise LimnerError("nothing is online yet: run `limner apply`, then `limner materialize START END`")
    raise LimnerError(f"say which with --profile NAME: {', '.join([*profiles, *views])}")


def parse_key(text: str, names: Sequence[str]) -> Any:
    """Read a key from the command line: its value, or the values of several join keys with commas between."""
    return tuple(text.split(",")) if len(names) > 1 else text


def parse_request(store: "Store", name: str, texts: Sequence[str]) -> dict[str, Any]:
    """Read `NAME=VALUE` texts as the fields that a profile or request view takes; a vector is a JSON list."""
    fields = store.request_fields(name)
    request: dict[str, Any] = {}
    for text in texts:
        field, sign, value = text.partition("=")
        if not sign:
            raise LimnerError(f"--request {text}: expected NAME=VALUE, such as basket_total=30")
        request[field] = _value(value, fields[field], text) if field in fields else value
    return request


def _value(text: str, field: "Column", whole: str) -> Any:
    """A value in its field's type; an instant stays text, which the store reads."""
    import json

    if text == "":
        return None
    try:
        if field.dim is not None:
            return json.loads(text)
        if field.base == "bool":
            return {"true": True, "false": False}[text.lower()]
        return int(text) if field.base == "int" else float(text) if field.base == "float" else text
    except (ValueError, KeyError):
        from limner.workers.request.fields import kind_of

        raise LimnerError(f"--request {whole}: {field.name!r} is {kind_of(field)}") from None

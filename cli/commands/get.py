"""`limner get KEY...`: online values, as a model would get them."""

from typing import Annotated

import typer

from limner.cli import output, project, serving
from limner.cli.options import JsonOption, ProjectOption
from limner.cli.serving import ProfileOption, RequestOption

KeysArgument = Annotated[
    list[str],
    typer.Argument(metavar="KEY...", help="Keys of entities; several join keys: 14,web", show_default=False),
]


def get(
    keys: KeysArgument,
    profile: ProfileOption = None,
    request: RequestOption = None,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Print the online values of one or more entities; exits 1 if none of them is known."""
    store = serving.open_store(project.find(project_folder))
    name = serving.choose(store, profile)
    names = store.join_keys(name)
    given = serving.parse_request(store, name, request or ())
    found = {text: store.profile(name, serving.parse_key(text, names), request=given) for text in keys}
    if json:
        output.emit_json(
            [{"key": text, "found": values is not None, "values": values} for text, values in found.items()]
        )
    else:
        for text, values in found.items():
            _print(text, values, name)
    return 0 if any(values is not None for values in found.values()) else 1


def _print(text: str, values: dict[str, object] | None, name: str) -> None:
    say = output.console().print
    if values is None:
        say(f"{text}: not known to {name}", markup=False)
        return
    width = max(map(len, values))
    for feature, value in values.items():
        say(f"{feature:<{width}}  {output.brief(value)}", markup=False, soft_wrap=True)

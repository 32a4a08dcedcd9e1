"""`limner similar KEY`: the entities whose vectors are nearest."""

from typing import Annotated

import typer

from limner.cli import output, project, serving
from limner.cli.options import JsonOption, ProjectOption


def similar(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The entity to compare with.", show_default=False)],
    feature: Annotated[
        str,
        typer.Option("--feature", "-f", metavar="VIEW:FEATURE", help="The vector to compare by.", show_default=False),
    ],
    count: Annotated[int, typer.Option("--count", "-k", min=1, max=1000, help="How many.")] = 5,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """List the entities nearest to one by the cosine of a vector feature, online values."""
    view, colon, name = feature.partition(":")
    if not colon or not view or not name:
        raise typer.BadParameter(f"{feature!r} is not VIEW:FEATURE, e.g. shopper_taste:taste", param_hint="--feature")
    store = serving.open_store(project.find(project_folder))
    names = store.join_keys(view)
    nearest = store.similar(view, name, serving.parse_key(key, names), count)
    if json:
        output.emit_json([{"key": list(found.key), "similarity": found.similarity} for found in nearest])
    else:
        for found in nearest:
            output.console().print(f"{found.similarity:.4f}  {', '.join(map(str, found.key))}", markup=False)
    return 0

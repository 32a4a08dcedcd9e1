"""`limner models`: the versions of models, and how good they are."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli import output, project, segments
from limner.cli.options import JsonOption, ProjectOption
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.models.segmentation import Segmentation


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One model.", show_default=False)] = None,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """List the registered versions of models, by cut-off; those of an earlier definition do not speak any more.

    Of one model, also its segments, and which entities move when a version begins to speak.
    """
    from limner.cli.commands.fit import as_data, told
    from limner.language.repo import load
    from limner.language.suggest import did_you_mean
    from limner.workers.models.contents import read_segmentation
    from limner.workers.models.pins import with_pins
    from limner.workers.models.versions import registered

    root = project.find(project_folder)
    settings = project.settings(root)
    specs = load(settings.specs)
    if name is not None and name not in specs.models:
        raise LimnerError(f"there is no model {name!r}: {did_you_mean(name, specs.models)}")
    pinned = with_pins(specs, root, settings.data).models
    rows: list[dict[str, Any]] = []
    found: dict[str, Segmentation] = {}
    for model in [name] if name is not None else sorted(specs.models):
        speak = {pin.version for pin in pinned[model].versions}
        for key, version in registered(settings.data, model).items():
            row = as_data(version) | {"speaks": key in speak, "told": told(version)}
            if name is not None and version.kind == "segments":
                found[key] = read_segmentation(settings.data, model, key)
                row |= segments.as_data(found[key])
            rows.append(row)
    if json:
        output.emit_json([{key: value for key, value in row.items() if key != "told"} for row in rows])
        return 0
    say = output.console().print
    for row in rows:
        fate = "" if row["speaks"] else "  of an earlier definition"
        say(f"{row['model']}  {row['cut_off']}  {row['version']}{fate}", markup=False, soft_wrap=True)
        say(f"    {row['told']}", markup=False, soft_wrap=True)
        if row["version"] in found:
            segments.render(found[row["version"]])
    if not rows:
        say("no version yet: limner fit NAME" if specs.models else "the specs have no model")
    return 0

"""`limner schema`: the JSON Schema of the spec language, for completion and checks in an editor."""

from pathlib import Path
from typing import Annotated

import typer

from limner.cli import output


def schema(
    write: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it to this file instead of stdout."),
    ] = None,
) -> int:
    """Print the JSON Schema of the spec language (an editor's YAML plug-in completes specs with it)."""
    from limner.language.schema import json_schema

    if write is None:
        output.emit_json(json_schema())
        return 0
    import json

    write.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
    output.side_console().print(
        f"wrote {write}. Put this in the first line of a spec:\n"
        f"  # yaml-language-server: $schema={write.resolve().as_uri()}",
        soft_wrap=True,
    )
    return 0

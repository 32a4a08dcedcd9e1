"""Options that several commands share, declared once so that they read the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project",
        "-C",
        metavar="DIR",
        help="Project folder. Default: the nearest, from here upwards, with feature_repo/feature_store.yaml.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal before something goes.")]
ViewsOption = Annotated[
    list[str] | None,
    typer.Option("--views", "-v", metavar="VIEW", help="Only this feature view; may be given several times."),
]

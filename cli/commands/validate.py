"""`limner validate`: read every spec, check it against its sources' real columns, report all problems."""

from pathlib import Path

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption
from limner.language.errors import Problem, SpecError


def validate(project_folder: ProjectOption = None, json: JsonOption = False) -> int:
    """Check the specs: syntax, names, types, and the columns of the sources they read."""
    root = project.find(project_folder)
    try:
        counts = check(root)
    except SpecError as error:
        if not json:
            raise
        output.emit_json({"valid": False, "problems": [vars_of(problem) for problem in error.problems]})
        return 1
    if json:
        output.emit_json({"valid": True, "problems": [], "counts": counts})
    else:
        found = ", ".join(f"{number} {kind}" for kind, number in counts.items())
        output.console().print(f"[green]valid[/green]: {found}")
    return 0


def check(root: Path) -> dict[str, int]:
    """Load and check the specs of a project; returns how many of each kind there are."""
    from limner.language.columns import check as check_columns
    from limner.language.repo import load
    from limner.workers.sources.describe import describe_all

    specs = load(project.settings(root).specs)
    check_columns(specs, describe_all(specs, root))
    return {
        "entities": len(specs.entities),
        "sources": len(specs.sources),
        "encoders": len(specs.encoders),
        "feature views": len(specs.views),
        "request views": len(specs.requests),
        "profiles": len(specs.profiles),
    }


def vars_of(problem: Problem) -> dict[str, object]:
    """Return a problem as a JSON object."""
    from dataclasses import asdict

    return asdict(problem)

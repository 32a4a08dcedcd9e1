"""`limner diff A B --key K`: how one entity's profile differs between two instants or two versions."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import output, project, stock_feast
from limner.cli.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from limner.feature_repo.diff import Difference, ViewDifference


def diff(
    before: Annotated[
        str, typer.Argument(metavar="A", help="An instant, or the first digits of a fingerprint.", show_default=False)
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="Another one of the same kind.", show_default=False)],
    key: Annotated[str, typer.Option("--key", "-k", metavar="K", help="The entity: 14, or 14,web, or user_id=14.")],
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", metavar="NAME", help="Only this profile or feature view.")
    ] = None,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Compare one entity's features as of A and as of B, or as versions A and B of a view have them.

    Fingerprints are those that `limner plan --json` and `limner rollback` name; versions are compared at the latest
    instant that both have reached.
    """
    root = project.find(project_folder)
    with stock_feast.quiet(), stock_feast.translated():
        from limner.feature_repo.diff import diff as compare

        found = compare(root, before, after, key, profile)
    if json:
        output.emit_json(
            [asdict(each) | {"instants": [output.instant(instant) for instant in each.instants]} for each in found]
        )
    else:
        for each in found:
            show(each, key)
    return 0 if any(any(each.known) for each in found) else 1


def show(found: "ViewDifference", key: str) -> None:
    """Print a view's features that differ, and how many do not."""
    from rich.markup import escape
    from rich.table import Table

    say = output.console().print
    say(f"[bold]{key} · {found.view}[/bold] · {_sides(found)}", soft_wrap=True)
    if found.note:
        say(f"  {found.note}", markup=False, soft_wrap=True)
    if found.known != (True, True):
        if not any(found.known):
            say("  not known")
            return
        say("  not known before" if not found.known[0] else "  not known after")
    differing = [each for each in found.features if each.state != "same"]
    table = Table(show_header=False, box=None, padding=(0, 2))
    for each in differing:
        table.add_row(each.feature, escape(words(each)))
    if differing:
        say(table)
    same = len(found.features) - len(differing)
    if same:
        say(f"  {same} unchanged" if differing else f"  all {same} unchanged")


def words(difference: "Difference") -> str:
    """Say what became of a feature."""
    old, new = output.brief(difference.before), output.brief(difference.after)
    if difference.state in ("added", "removed"):
        return f"{difference.state}: {new if difference.state == 'added' else old}"
    if difference.cosine is not None:
        return f"cosine {difference.cosine:.4f} ({len(difference.after)} numbers)"
    return ", ".join(difference.details) or f"{old} → {new}"


def _sides(found: "ViewDifference") -> str:
    one, other = found.fingerprints
    first, last = map(output.instant, found.instants)
    if one != other:
        return f"{one[:12]} → {other[:12]}, as of {first}"
    return f"{first} → {last}"

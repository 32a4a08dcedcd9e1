"""`limner plan`: what `apply` would change, and which history the next run would build anew."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.cli import output, project, stock_feast
from limner.cli.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from limner.feature_repo.plan import PlanResult

SIGNS = {
    "new": "[green]+[/green]",
    "changed": "[yellow]~[/yellow]",
    "dropped": "[red]-[/red]",
    "unchanged": "[dim]=[/dim]",
}


def plan(project_folder: ProjectOption = None, json: JsonOption = False) -> int:
    """Compare the specs with what is applied: new, changed and dropped views and profiles. Changes nothing."""
    result = make(project.find(project_folder))
    if json:
        output.emit_json(as_json(result))
        return 0
    show(result)
    if not result.empty:
        dropping = " --allow-drop" if result.unsafe else ""
        output.console().print(f"plan {result.checksum}; make it so: limner apply --plan {result.checksum}{dropping}")
    return 0


def make(root: Path) -> "PlanResult":
    """Plan; raises SpecError or LimnerError."""
    with stock_feast.quiet(), stock_feast.translated():
        from limner.feature_repo.plan import plan as compare

        return compare(root)


def as_json(result: "PlanResult") -> dict[str, Any]:
    """Return the plan for a program; instants of `rebuild` in ISO 8601."""
    views = [asdict(change) for change in result.views]
    for view in views:
        view["rebuild"] = view["rebuild"] and [output.instant(each) for each in view["rebuild"]]
    profiles = [asdict(change) for change in result.profiles]
    return {
        "checksum": result.checksum,
        "empty": result.empty,
        "unsafe": result.unsafe,
        "views": views,
        "request_views": [asdict(change) for change in result.requests],
        "profiles": profiles,
    }


def show(result: "PlanResult") -> None:
    """Print a line a change, with its reasons, and the count."""
    say = output.console().print
    for change in result.views:
        _line(change.action, f"feature view {change.view}", [(each.text, each.effect) for each in change.reasons])
        if change.rebuild is not None:
            first, last = map(output.instant, change.rebuild)
            say(f"      the next run builds its history from {first} to {last} anew", soft_wrap=True)
    for each in result.requests:
        _line(each.action, f"request view {each.request_view}", [(r.text, r.effect) for r in each.reasons])
        if each.action == "changed" and any(reason.effect == "values change" for reason in each.reasons):
            say("      holds from the moment it is applied", soft_wrap=True)
    for member in result.profiles:
        _line(member.action, f"profile {member.profile}", [(each, "") for each in member.reasons])
    counted = ", ".join(f"{number} {action}" for action, number in result.counts().items() if number)
    say(f"feature views: {counted or 'none'}")


def _line(action: str, what: str, reasons: list[tuple[str, str]]) -> None:
    if action == "unchanged":
        return
    say = output.console().print
    say(f"  {SIGNS[action]} {what}: {action}", soft_wrap=True)
    wide = max((len(reason) for reason, _ in reasons), default=0)
    for reason, effect in reasons:
        say(f"      {reason:<{min(wide, 60)}}  {effect}".rstrip(), markup=False, soft_wrap=True)

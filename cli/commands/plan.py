"""`limner plan`: what `apply` would change, what the next run would compute anew, and what that costs."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli import output, plan_cost, project, stock_feast
from limner.cli.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from limner.feature_repo.costs import PlanCost, ViewCost
    from limner.feature_repo.plan import PlanResult
    from limner.feature_repo.request_changes import RequestChange

SIGNS = {
    "new": "[green]+[/green]",
    "changed": "[yellow]~[/yellow]",
    "dropped": "[red]-[/red]",
    "unchanged": "[dim]=[/dim]",
}


_AT_ONCE = "holds from the moment it is applied"


def plan(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a review.")] = False,
    cost: Annotated[bool, typer.Option("--cost/--no-cost", help="Estimate what the next run costs.")] = True,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Compare the specs with what is applied: what changes and why it matters, and its cost. Changes nothing."""
    result, costs = make_with_costs(project.find(project_folder), cost=cost)
    if json:
        output.emit_json(as_json(result, costs))
    elif markdown:
        typer.echo(as_markdown(result, costs), nl=False)
    else:
        show(result, costs)
        if not result.empty:
            output.console().print(f"plan {result.checksum}; make it so: {_apply(result)}")
    return 0


def make(root: Path) -> "PlanResult":
    """Plan; raises SpecError or LimnerError."""
    with stock_feast.quiet(), stock_feast.translated():
        from limner.feature_repo.plan import plan as compare

        return compare(root)


def make_with_costs(root: Path, *, cost: bool) -> tuple["PlanResult", "PlanCost | None"]:
    """Plan, and estimate the costs if that is wanted; raises SpecError or LimnerError."""
    if not cost:
        return make(root), None
    with stock_feast.quiet(), stock_feast.translated():
        from limner.feature_repo.costs import estimate
        from limner.feature_repo.plan import plan_compiled
        from limner.feature_repo.project import Project

        here = Project.at(project.feature_repo(root))
        compiled, result = plan_compiled(here)
        return result, estimate(here, compiled, result)


def as_json(result: "PlanResult", costs: "PlanCost | None" = None) -> dict[str, Any]:
    """Return the plan for a program; instants of `rebuild` in ISO 8601, costs in seconds and bytes, null if unknown."""
    known = _by_view(costs)
    views = [asdict(change) for change in result.views]
    for view in views:
        view["rebuild"] = view["rebuild"] and [output.instant(each) for each in view["rebuild"]]
        if costs is not None:
            view["cost"] = asdict(known[view["view"]]) if view["view"] in known else None
    document = {
        "checksum": result.checksum,
        "empty": result.empty,
        "unsafe": result.unsafe,
        "views": views,
        "request_views": [asdict(change) for change in result.requests],
        "profiles": [asdict(change) for change in result.profiles],
        "push_sources": [asdict(change) for change in result.pushes],
    }
    if costs is not None:
        document["cost"] = None if costs.total is None else asdict(costs.total)
    return document


def as_markdown(result: "PlanResult", costs: "PlanCost | None" = None) -> str:
    """Return the plan as it may stand in a pull request."""
    known = _by_view(costs)
    lines = [f"## Plan `{result.checksum}`", "", f"Feature views: {_counted(result)}.", ""]
    for change in result.views:
        if change.action != "unchanged":
            lines.append(f"- **{change.view}**: {change.action}")
            lines += [f"  - `{reason.text}`: {reason.effect}" for reason in change.reasons]
            if change.rebuild is not None:
                lines.append(f"  - {_rebuilds(change.rebuild)}")
            lines += [f"  - {note.strip()}" for note in change.notes]
            if change.view in known:
                lines += [f"  - {line}" for line in plan_cost.lines(known[change.view])]
    for each in result.requests:
        if each.action != "unchanged":
            lines.append(f"- **{each.request_view}** (request view): {each.action}")
            lines += [f"  - `{reason.text}`: {reason.effect}" for reason in each.reasons]
            lines += [f"  - {_AT_ONCE}"] if _at_once(each) else []
    for member in result.profiles:
        if member.action != "unchanged":
            lines.append(f"- **{member.profile}** (profile): {member.action}")
            lines += [f"  - `{reason}`" for reason in member.reasons]
    pushes = [push for push in result.pushes if push.action != "unchanged"]
    lines += [f"- **{push.source}** (push source): {push.action}" for push in pushes]
    if costs is not None and costs.total is not None and len(costs.views) > 1:
        lines += ["", "All together:", "", *(f"- {line}" for line in plan_cost.lines(costs.total))]
    if result.unsafe:
        lines += ["", f"**Drops** {', '.join(result.dropped)}."]
    if not result.empty:
        lines += ["", f"Make it so: `{_apply(result)}`"]
    return "\n".join(lines) + "\n"


def show(result: "PlanResult", costs: "PlanCost | None" = None) -> None:
    """Print a line a change, with its reasons and its cost, and the count."""
    say = output.console().print
    known = _by_view(costs)
    for change in result.views:
        _line(change.action, f"feature view {change.view}", [(each.text, each.effect) for each in change.reasons])
        if change.rebuild is not None:
            say(f"      {_rebuilds(change.rebuild)}", soft_wrap=True)
        for note in change.notes:
            say(f"      {note}", markup=False, soft_wrap=True)
        if change.view in known:
            _costs(known[change.view], "      ")
    for each in result.requests:
        _line(each.action, f"request view {each.request_view}", [(r.text, r.effect) for r in each.reasons])
        if _at_once(each):
            say(f"      {_AT_ONCE}", soft_wrap=True)
    for member in result.profiles:
        _line(member.action, f"profile {member.profile}", [(each, "") for each in member.reasons])
    for push in result.pushes:
        _line(push.action, f"push source {push.source}", [])
    say(f"feature views: {_counted(result)}")
    if costs is not None and costs.total is not None and len(costs.views) > 1:
        say("the next run, all together:")
        _costs(costs.total, "  ")


def _at_once(change: "RequestChange") -> bool:
    return change.action == "changed" and any(reason.effect == "values change" for reason in change.reasons)


def _by_view(costs: "PlanCost | None") -> "dict[str, ViewCost]":
    return {} if costs is None else {each.view: each for each in costs.views}


def _costs(cost: "ViewCost", indent: str) -> None:
    for line in plan_cost.lines(cost):
        output.console().print(f"{indent}{line}", markup=False, soft_wrap=True, style="dim")


def _rebuilds(interval: tuple[int, int]) -> str:
    first, last = map(output.instant, interval)
    return f"the next run builds its history from {first} to {last} anew"


def _counted(result: "PlanResult") -> str:
    return ", ".join(f"{number} {action}" for action, number in result.counts().items() if number) or "none"


def _apply(result: "PlanResult") -> str:
    return f"limner apply --plan {result.checksum}" + (" --allow-drop" if result.unsafe else "")


def _line(action: str, what: str, reasons: list[tuple[str, str]]) -> None:
    if action == "unchanged":
        return
    say = output.console().print
    say(f"  {SIGNS[action]} {what}: {action}", soft_wrap=True)
    wide = max((len(reason) for reason, _ in reasons), default=0)
    for reason, effect in reasons:
        say(f"      {reason:<{min(wide, 60)}}  {effect}".rstrip(), markup=False, soft_wrap=True)

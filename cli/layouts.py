"""What a feature view is: its features, how they are fitted, and which place of a vector holds what."""

from typing import TYPE_CHECKING, Any

from limner.cli import output

if TYPE_CHECKING:
    from pathlib import Path

    from limner.workers.derive.fit import Fit


def declared(root: "Path", name: str) -> bool:
    """Whether the specs have a view of that name. False where they cannot be read: it may be the key of an entity."""
    if not name.isidentifier():
        return False
    from limner.cli import project
    from limner.language.errors import LimnerError
    from limner.language.repo import load

    try:
        return name in load(project.settings(root).specs).views
    except LimnerError:
        return False


def described(root: "Path", name: str) -> dict[str, Any]:
    """A view of the project's specs as plain data; LimnerError where it cannot be planned."""
    from limner.cli import project
    from limner.language.derived_base import Derived
    from limner.language.errors import LimnerError
    from limner.language.features import Vector
    from limner.language.layout import layout
    from limner.language.repo import load
    from limner.language.suggest import did_you_mean
    from limner.workers.carry.begin import prevented
    from limner.workers.fitting import read_fits
    from limner.workers.models.pins import with_pins
    from limner.workers.plan import plan_view

    settings = project.settings(root)
    specs = with_pins(load(settings.specs), root, settings.data)
    if name not in specs.views:
        raise LimnerError(f"there is no feature view {name!r}: {did_you_mean(name, specs.views)}")
    plan = plan_view(specs, name, root, settings.data)
    fits = read_fits(plan.folder / plan.fingerprint)
    types = {each.name: each.type for each in plan.computed}
    features: dict[str, dict[str, Any]] = {}
    for each in plan.outputs:
        features[each.name] = {
            "kind": each.feature.kind,
            "type": f"vector of {each.type.dim}" if each.type.dim is not None else each.type.words,
            "description": each.feature.description,
        }
        if isinstance(each.feature, Derived) and each.feature.fitted is not None:
            features[each.name]["fit"] = _fit(fits.get(each.name), each.feature.fitted)
        if isinstance(each.feature, Vector):
            features[each.name]["layout"] = [vars(place) for place in layout(each, types)]
            features[each.name]["projected"] = None if each.feature.project is None else each.feature.project.pca
    return {"view": name, "fingerprint": plan.fingerprint, "not_carried": prevented(plan), "features": features}


def _fit(fit: "Fit | None", instant: int) -> dict[str, Any]:
    if fit is None:
        return {"instant": output.instant(instant), "made": False}
    explained = list(fit.components.explained) if fit.components is not None else None
    return {
        "instant": output.instant(instant), "made": True, "identity": fit.identity, "entities": fit.entities,
        "explained": explained,
    }  # fmt: skip


def render(view: dict[str, Any]) -> None:
    """Print a line a feature, and a table a vector."""
    from rich.table import Table

    console = output.console()
    console.print(f"[bold]{view['view']}[/bold] · {view['fingerprint'][:12]}")
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, feature in view["features"].items():
        table.add_row(name, feature["kind"], feature["type"], feature["description"])
    console.print(table)
    why = view["not_carried"]
    next_run = f"computes from all rows of its windows: {why}" if why else "goes on from the sums of the last one"
    console.print(f"\nThe next run {next_run}.", soft_wrap=True)
    for name, feature in view["features"].items():
        if "fit" in feature:
            console.print(f"\n[bold]{name}[/bold] · {_told(feature['fit'])}")
        elif "layout" in feature:
            console.print(f"\n[bold]{name}[/bold]")
        if "layout" in feature:
            console.print(_places(feature["layout"]))
            if feature["projected"] is not None:
                console.print(f"  projected to {feature['projected']} principal components{_share(feature['fit'])}")


def _places(layout: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2))
    for place in layout:
        first, last = place["first"], place["last"]
        table.add_row(f"{first}" if first == last else f"{first} to {last}", place["what"], place["how"])
    return table


def _told(fit: dict[str, Any]) -> str:
    if not fit["made"]:
        return f"fitted as of {fit['instant']}, when a run reaches it"
    return f"fitted as of {fit['instant']} to {fit['entities']:,} entities · {fit['identity'][:12]}"


def _share(fit: dict[str, Any]) -> str:
    explained = fit.get("explained")
    return f", which explain {sum(explained):.1%} of the variance" if explained else ""

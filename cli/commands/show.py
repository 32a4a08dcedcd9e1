"""`limner show KEY`: one readable profile, grouped by feature view, with what each view is."""

from pathlib import Path
from typing import Annotated, Any

import typer

from limner.cli import layouts, output, project, serving
from limner.cli.options import JsonOption, ProjectOption
from limner.cli.serving import ProfileOption, RequestOption
from limner.cli.why import explain
from limner.language.errors import LimnerError


def show(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY", help="The entity's key (several join keys: 14,web), or a view.", show_default=False
        ),
    ],
    profile: ProfileOption = None,
    request: RequestOption = None,
    why: Annotated[
        str | None,
        typer.Option(
            "--why", metavar="FEATURE", help="What moved a feature that a model makes, or that texts are pooled to."
        ),
    ] = None,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Show everything that is online about one entity, view by view; or what the features of a view are."""
    root = project.find(project_folder)
    if why is not None:
        return explain(root, key, why, json=json)
    if profile is None and layouts.declared(root, key):
        return _layout(root, key, json)
    store = serving.open_store(root)
    profiles = store.profiles()
    views = {view.name: view for view in store.views()}
    if profile is None and key in views:
        return _layout(root, key, json)  # which says what is wrong with the specs, or that it is no longer there
    computed = {view.name: view for view in store.request_views()}
    if profile is None:
        chosen = {view.name: list(view.features) for view in views.values()}
        chosen |= {view.name: list(view.features) for view in computed.values() if request}
    elif profile in profiles:
        chosen = profiles[profile]
    else:
        known = views.get(profile) or computed.get(profile)
        chosen = {profile: [] if known is None else list(known.features)}
    if not chosen:
        raise LimnerError("nothing is online yet: run `limner apply`, then `limner materialize START END`")
    takes = {field for name in chosen if name in computed for field in computed[name].request}
    unknown = [each for each in request or () if each.partition("=")[0] not in takes]
    if unknown:
        raise LimnerError(
            f"--request {unknown[0]}: no such field is asked for; there is {', '.join(sorted(takes)) or 'none'}"
        )
    shown: dict[str, dict[str, Any] | None] = {}
    for name in chosen:
        reads = computed[name].views if name in computed else (name,)
        if profile in profiles and not views.keys() & set(reads):
            shown[name] = None  # declared, and not computed yet
            continue
        fields = computed[name].request if name in computed else {}
        given = [each for each in request or () if each.partition("=")[0] in fields]
        said = serving.parse_request(store, name, given)
        values = store.profile(name, serving.parse_key(key, store.join_keys(name)), request=said)
        shown[name] = values and {feature: values.get(feature) for feature in chosen[name]}
    if json:
        output.emit_json({"key": key, "views": shown})
    else:
        as_of = {name: views[name].as_of for name in chosen if name in views}
        render(key, shown, {name: f"{moment:%Y-%m-%d %H:%M}Z" for name, moment in as_of.items() if moment})
    return 0 if any(shown.values()) else 1


def _layout(root: Path, view: str, json: bool) -> int:
    found = layouts.described(root, view)
    output.emit_json(found) if json else layouts.render(found)
    return 0


def render(key: str, views: dict[str, dict[str, Any] | None], as_of: dict[str, str]) -> None:
    """Print a table a view: feature, value."""
    from rich.table import Table

    console = output.console()
    for name, values in views.items():
        suffix = f" · as of {as_of[name]}" if name in as_of else ""
        console.print(f"[bold]{key} · {name}[/bold]{suffix}")
        table = Table(show_header=False, box=None, padding=(0, 2))
        for feature, value in (values or {"": "not known"}).items():
            table.add_row(feature, output.brief(value))
        console.print(table)

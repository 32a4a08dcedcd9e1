"""What the demo ends with: one household online, the same in the past, its neighbours, what to try next."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from limner.cli import output, project

HOUSEHOLD = 1609
PROFILE = "recommender_v1"
INSTANTS = tuple(datetime(2017, month, day, tzinfo=UTC) for month, day in ((8, 1), (10, 15), (12, 24)))
TASTE = ("shopper_taste", "taste")
NEIGHBOURS = 5


def show(root: Path) -> None:
    """Print the four parts."""
    from limner.workers.online.store import Store

    store = Store(root)
    _online(store)
    _past(root)
    _similar(store)
    _next()


def _heading(text: str) -> None:
    output.console().print()
    output.console().rule(f"[bold]{text}[/bold]", align="left", characters="─")


def _online(store: Any) -> None:
    """The profile a model gets at inference, and how long it takes to read."""
    import time

    from rich.table import Table

    store.profile(PROFILE, HOUSEHOLD)
    started = time.perf_counter()
    values = store.profile(PROFILE, HOUSEHOLD)
    milliseconds = (time.perf_counter() - started) * 1000
    _heading(f"online: profile {PROFILE} of household {HOUSEHOLD}, read in {milliseconds:.1f} ms")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in (values or {}).items():
        table.add_row(name, output.brief(value))
    output.console().print(table)


def _past(root: Path) -> None:
    """The same household as it was known at three instants: Feast's point-in-time join."""
    from rich.table import Table

    from limner.cli.stock_feast import quiet

    with quiet():
        import pandas as pd
        from feast import FeatureStore

        store = FeatureStore(repo_path=str(project.feature_repo(root)))
        rows = pd.DataFrame({"household_id": [HOUSEHOLD] * len(INSTANTS), "event_timestamp": list(INSTANTS)})
        joined = store.get_historical_features(rows, store.get_feature_service(PROFILE)).to_arrow()
    _heading(f"training: the same household at {len(INSTANTS)} past instants, as it was known then")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    for moment in INSTANTS:
        table.add_column(f"{moment:%Y-%m-%d}", overflow="fold")
    for name in joined.column_names:
        if name not in ("household_id", "event_timestamp"):
            table.add_row(name, *(output.brief(value) for value in joined[name].to_pylist(maps_as_pydicts="strict")))
    output.console().print(table)


def _similar(store: Any) -> None:
    """The nearest households by taste vector, with what they buy most."""
    from rich.table import Table

    view, feature = TASTE
    nearest = store.similar(view, feature, HOUSEHOLD, NEIGHBOURS)
    _heading(f"similar: the {NEIGHBOURS} households nearest to {HOUSEHOLD} by taste")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("household", "cosine", "buys most"):
        table.add_column(name, overflow="fold")
    for key, cosine in [(HOUSEHOLD, None), *((found.key[0], found.similarity) for found in nearest)]:
        values = store.profile(view, key) or {}
        table.add_row(str(key), output.brief(cosine), output.brief(values.get("top_types")))
    output.console().print(table)


def _next() -> None:
    _heading("next")
    bin_folder = Path(".venv/bin")
    prefix = f"{bin_folder}/" if (bin_folder / "limner").exists() else ""
    for command, what in (
        (f"limner show {HOUSEHOLD}", "everything that is known about one household"),
        (f"limner get 14 {HOUSEHOLD} --json", "online profiles, for a program"),
        ("limner plan", "edit specs/shopper_activity.yaml first: what would change?"),
        (
            "limner apply && limner materialize 2017-07-01 2018-01-02",
            "make it so (or: feast apply, feast materialize)",
        ),
        (f"limner show {HOUSEHOLD} --why churn", "why a model says what it says of one household"),
        ("limner evaluate churn", "was it right? on what came after it was learned, beside baselines, with a report"),
        ("limner doctor", "is everything in order?"),
    ):
        output.console().print(f"  {command.replace('limner ', f'{prefix}limner ')}", markup=False, soft_wrap=True)
        output.console().print(f"      {what}", style="dim", soft_wrap=True)

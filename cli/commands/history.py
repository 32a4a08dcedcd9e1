"""`limner history FILE`: a training set, from rows that name an entity and an instant."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    import pandas as pd
    from feast import FeatureStore

INSTANT = "event_timestamp"
WRITERS = (".parquet", ".csv")


def history(
    keys: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV or Parquet: join keys, event_timestamp, and whatever else (labels).",
            show_default=False,
        ),
    ],
    profile: Annotated[
        str | None,
        typer.Option("--profile", "-p", metavar="NAME", help="A profile or feature view. Default: the only profile."),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write .parquet or .csv. Default: CSV on stdout."),
    ] = None,
    at: Annotated[
        str, typer.Option("--at", metavar="COLUMN", help="FILE's column of instants; UTC if naive.")
    ] = INSTANT,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Join features to keys and instants, each row as it was known then: a training set without leaks."""
    if write is not None and write.suffix not in WRITERS:
        raise typer.BadParameter(f"{write}: write to .parquet or .csv", param_hint="--output")
    table = training_set(project.find(project_folder), keys, profile, at)
    if json:
        output.emit_json(table.to_pylist(maps_as_pydicts="strict"))
    elif write is None:
        typer.echo(to_csv(table), nl=False)
    else:
        if write.suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(table, write)
        else:
            write.write_text(to_csv(table), encoding="utf-8")
        output.side_console().print(f"{table.num_rows:,} rows, {table.num_columns} columns → {write}", markup=False)
    return 0


def training_set(root: Path, keys: Path, name: str | None, at: str) -> Any:
    """Return an Arrow table: the rows of `keys` in their order, with the features of `name`."""
    from limner.cli.stock_feast import quiet, translated

    with quiet(), translated():
        from feast import FeatureStore

        store = FeatureStore(repo_path=str(project.feature_repo(root)))
        rows = read_keys(keys, at, text_keys(store))
        return store.get_historical_features(entity_df=rows, features=features_of(store, name)).to_arrow()


def text_keys(store: "FeatureStore") -> set[str]:
    """Return the join keys that are strings: a CSV must not turn 007 into 7."""
    return {entity.join_key for entity in store.list_entities() if entity.value_type.name == "STRING"}


def features_of(store: "FeatureStore", name: str | None) -> Any:
    """Return what Feast calls `features`: a profile's feature service, or the features of one view."""
    services = {service.name: service for service in store.list_feature_services()}
    views = {view.name: view for view in store.list_feature_views() if view.features}
    if name is None and len(services) == 1:
        name = next(iter(services))
    if name in services:
        return services[name]
    if name in views:
        return [f"{name}:{field.name}" for field in views[name].features]
    known = ", ".join([*services, *views])
    if not known:
        raise LimnerError("nothing is applied yet: run `limner apply`, then `limner materialize START END`")
    raise LimnerError(
        f"there is no profile or view {name!r}; there is {known}" if name else f"say which with --profile: {known}"
    )


def read_keys(path: Path, at: str, text: set[str]) -> "pd.DataFrame":
    """Read join keys and instants. Raises LimnerError for what cannot be used."""
    import pandas as pd

    if not path.is_file():
        raise LimnerError(f"there is no file {path}")
    try:
        parquet = path.suffix == ".parquet"
        rows = pd.read_parquet(path) if parquet else pd.read_csv(path, dtype=dict.fromkeys(text, str))
    except (ValueError, OSError) as error:
        raise LimnerError(f"cannot read {path}: {error}") from error
    if at not in rows:
        raise LimnerError(f"{path} has no column {at!r}; it has {', '.join(map(str, rows))}. Name it with --at COLUMN")
    try:
        instants = pd.to_datetime(rows[at], utc=True, format=None if parquet else "ISO8601")
    except (ValueError, TypeError) as error:
        raise LimnerError(f"{path}: column {at!r} holds something that is no instant: {error}") from error
    if instants.isna().any():
        raise LimnerError(f"{path}: column {at!r} is empty in {int(instants.isna().sum())} rows: give each an instant")
    return rows.drop(columns=[at]).assign(**{INSTANT: instants})


def to_csv(table: Any) -> str:
    """Write CSV: instants in ISO 8601 UTC, lists, vectors and maps as JSON."""
    import csv
    import io
    import json
    from datetime import datetime

    def cell(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        return json.dumps(value, default=str) if isinstance(value, list | dict) else value

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=10_000):
        writer.writerows(
            [cell(value) for value in row]
            for row in zip(*(c.to_pylist(maps_as_pydicts="strict") for c in batch.columns), strict=True)
        )
    return text.getvalue()

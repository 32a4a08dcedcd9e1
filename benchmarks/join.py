"""`get_historical_features` beside DuckDB's bare ASOF join and Feast's default offline store, in turns.

Contenders join 60 scalars and a vector of 384 of three views (`histories.views`) to the same entity rows, a pandas
DataFrame, as of each row's instant:

- *limner*: `store.get_historical_features(rows, features).to_arrow()` over histories as the engine writes them: a
  backfill in four shards and a week of daily runs. Rows keep their order.
- *bare DuckDB*: one query with an ASOF LEFT JOIN a view over the same files, fetched to Arrow, DuckDB's defaults. Rows
  come in any order, which is less work.
- *Feast's default*: the same call over Feast's file offline store (Dask), which reads one Parquet file a view with the
  same rows, in a process of its own with a limit of time and memory.

The answers of all are compared before anything is timed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.benchmarks import histories
from limner.benchmarks.limited import Limited, limited
from limner.benchmarks.point_in_time import (
    duckdb_bare,
    duckdb_query,
    feast_default,
    limner,
    unequal,
    write_files,
)
from limner.benchmarks.project import quiet
from limner.benchmarks.report import Report
from limner.benchmarks.turns import in_turns

if TYPE_CHECKING:
    import pyarrow as pa

# Entity rows, history rows, and seconds for an answer of Feast's default, which at the larger size has no chance.
CASES = ((20_000, 400_000, 60), (200_000, 2_000_000, 0))
_SHARE = 0.8  # of the memory that is free, which Feast's default may hold


def run(
    folder: Path,
    entity_rows: int | None = None,
    history_rows: int | None = None,
    rounds: int = 5,
    limit: int | None = None,
) -> Report:
    """Measure the default cases, or the one that is asked for.

    `limit`: seconds for one answer of Feast's default, which takes part where the first one is there in time; 0 leaves
    it out.
    """
    asked = (entity_rows or CASES[0][0], history_rows or CASES[0][1], CASES[0][2])
    cases = CASES if entity_rows is None and history_rows is None else (asked,)
    sizes = ", ".join(f"{wanted:,} over {rows:,}" for wanted, rows, _ in cases)
    report = Report("join", {"entity_rows_over_history_rows": sizes})
    for number, (wanted, rows, usual) in enumerate(cases):
        _case(report, folder / str(number), wanted, rows, rounds, usual if limit is None else limit)
    return report


def _case(report: Report, folder: Path, wanted: int, rows: int, rounds: int, limit: int) -> None:
    import psutil
    import pyarrow.parquet as pq

    views, count = histories.views(rows), histories.entities(rows)
    made = folder / "histories"
    written = sum(histories.write_history(made / view.name, view, count) for view in views)
    entities = histories.entity_rows(wanted, count)
    folder.mkdir(exist_ok=True)
    pq.write_table(entities, folder / "entities.parquet")
    write_files(made, views, folder / "files")
    frame = entities.to_pandas()
    ours = limner(folder / "limner", made, views)
    query = duckdb_query(made, views)
    name = f"{wanted:,} rows over {written:,}"

    def arrow(_round: int = 0) -> "pa.Table":
        with quiet():
            return ours(frame).to_arrow()

    def bare(_round: int = 0) -> "pa.Table":
        return duckdb_bare(query, frame, lambda result: result.to_arrow_table())

    def data_frame(_round: int) -> None:
        with quiet():
            ours(frame).to_df()

    answer = folder / "default.parquet"
    parameters = (folder / "default", folder / "files", views, folder / "entities.parquet", answer)
    memory = _SHARE * psutil.virtual_memory().available
    with limited(feast_default, *parameters, seconds=limit, memory=memory) as default:
        _check(report, name, arrow(), bare(), default, answer)
        contenders: dict[str, Callable[[int], float | None]] = {
            "limner": _timed(arrow),
            "bare DuckDB": _timed(bare),
            "limner, to_df": _timed(data_frame),
            "bare DuckDB, df": _timed(lambda _: duckdb_bare(query, frame, lambda result: result.df())),
        }
        if not default.why:
            contenders["Feast's default"] = lambda _: default() or float(limit)
        seconds = in_turns(contenders, rounds, warm=0)
    for contender, each in seconds.items():
        report.measure(f"{name}: {contender}", "s", each)
    report.compare(
        f"{name}: limner over bare DuckDB", seconds["limner"], seconds["bare DuckDB"], target=1.3, better="less"
    )
    report.compare(
        f"{name}: to_df over DuckDB's df", seconds["limner, to_df"], seconds["bare DuckDB, df"], better="less"
    )
    if "Feast's default" in seconds:
        if default.why:
            report.notes.append(f"{name}: Feast's default {default.why}, which counts as {limit} s from then on")
        report.compare(f"{name}: Feast's default over limner", seconds["Feast's default"], seconds["limner"], target=5)


def _timed(contender: Callable[[int], Any]) -> Callable[[int], None]:
    """Nothing of an answer stays."""

    def once(number: int) -> None:
        contender(number)

    return once


def _check(report: Report, name: str, ours: "pa.Table", bare: "pa.Table", default: Limited, answer: Path) -> None:
    """Contenders do the same work: equal answers, or a note that says how they differ."""
    import pyarrow.parquet as pq

    different = unequal(ours, bare)
    if different:
        raise RuntimeError(f"limner and DuckDB differ in {', '.join(different)}")
    if default() is None:
        if default.seconds:
            report.notes.append(f"{name}: Feast's default {default.why}")
        return
    theirs = pq.read_table(answer)
    different = unequal(ours, theirs)
    if different:
        report.notes.append(
            f"{name}: Feast's default gives {len(theirs):,} rows, and other values in {', '.join(different)}"
        )

"""Folders that say something of their rows: columns, and which files need not be read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.language.errors import LimnerError
from limner.workers.sources.describe import describe
from limner.workers.sources.files import Files
from limner.workers.sources.partitions import claims
from tests.workers.sources import world

START = datetime(2026, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


def at(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MICRO


def put(file: Path, *moments: datetime, user: int = 1, **columns: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    count = len(moments)
    data = {"user": [user] * count, "ts": pa.array(moments, pa.timestamp("us", "UTC"))}
    pq.write_table(pa.table({**data, **{name: values[:count] for name, values in columns.items()}}), file)


def days(root: Path, zone: str = "UTC", count: int = 31) -> None:
    """A row at noon of each local day of January 2026."""
    for n in range(count):
        day = datetime(2026, 1, 1, 12, tzinfo=ZoneInfo(zone)) + timedelta(days=n)
        put(root / f"d/dt={day:%Y-%m-%d}/part.parquet", day.astimezone(UTC), user=n)


def poison(file: Path) -> None:
    """Spoil the rows of a Parquet file and leave its head: reading them fails, looking at its columns does not."""
    data = bytearray(file.read_bytes())
    data[4:40] = b"\xff" * 36
    file.write_bytes(bytes(data))


def source(**keys: Any) -> Any:
    return world.source(**{"path": "d", "event_timestamp": "ts", **keys})


def test_folders_are_columns_whatever_the_format(tmp_path: Path) -> None:
    for channel, text in (("web%2Fapp", "1"), ("a=b", "2"), ("__HIVE_DEFAULT_PARTITION__", "3")):
        folder = tmp_path / f"d/year=2026/channel={channel}"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text(f"user,ts,year\n{text},2026-01-01,of the file\n")
        (folder / "b.jsonl").write_text(f'{{"user": {text}, "ts": "2026-01-01"}}\n')
        put(folder / "c.parquet", START, user=int(text), year=["of the file"])
    (tmp_path / "d/loose.jsonl").write_text('{"user": 4, "ts": "2026-01-01", "year": "of the file"}\n')
    for kind in ("csv", "jsonl", "parquet"):
        spec = source(format=kind, clean={"cast": {"user": "int", "year": "int"}})
        assert describe(spec, tmp_path)["channel"] == "string"
        _, rows = world.prepared(tmp_path, world.specs(spec), ["year", "channel"])
        wanted = [(1, 2026, "web/app"), (2, 2026, "a=b"), (3, 2026, None)] + [(4, None, None)] * (kind == "jsonl")
        assert [(row["user"], row["year"], row["channel"]) for row in rows] == wanted


def test_only_folders_below_the_project_count(tmp_path: Path) -> None:
    put(tmp_path / "x=1/project/d/a.parquet", START)
    assert describe(source(), tmp_path / "x=1/project") == {"user": "int", "ts": "timestamp"}


def test_where_leaves_files_unread(tmp_path: Path) -> None:
    for n, channel in enumerate(["web", "app", "shop", "__HIVE_DEFAULT_PARTITION__"]):
        put(tmp_path / f"d/year=202{n}/channel={channel}/a.parquet", START, START, user=n, x=[1, 2])
    for n, channel in ((1, "app"), (2, "shop")):
        poison(tmp_path / f"d/year=202{n}/channel={channel}/a.parquet")
    for where in ("channel = 'web' and x > 1", "medium = 'web'", "not (channel <> 'web') and year < 2022"):
        keys = {"rename": {"medium": "channel"}} if "medium" in where else {"clean": {"cast": {"year": "int"}}}
        result, rows = world.prepared(tmp_path, world.specs(source(where=where, **keys)), ["x"])
        assert [(row["user"], row["x"]) for row in rows] == ([(0, 2)] if " x " in where else [(0, 1), (0, 2)])
        assert (result.files_read, result.files_left) == (2, 2) if "<>" not in where else (1, 3)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_files_outside_of_the_bounds_are_not_read(tmp_path: Path, zone: str) -> None:
    days(tmp_path, zone)
    begin = datetime(2026, 1, 10, tzinfo=ZoneInfo(zone))
    for n in range(31):
        if not 9 <= n <= 11:
            poison(tmp_path / f"d/dt=2026-01-{n + 1:02}/part.parquet")
    spec = source(partitions={"dt": "day"}, timezone=zone)
    lower, until = at(begin), at(begin + timedelta(days=3))
    result, rows = world.prepared(tmp_path, world.specs(spec), ["dt"], lower=lower, known_after=lower, until=until)
    assert [(row["user"], row["dt"]) for row in rows] == [(9, "2026-01-10"), (10, "2026-01-11"), (11, "2026-01-12")]
    assert (result.files_read, result.files_left, result.rows_read) == (3, 28, 3)
    lagging = source(partitions={"dt": "day"}, timezone=zone, lag="1d")
    poison(tmp_path / "d/dt=2026-01-11/part.parquet")
    with pytest.raises(LimnerError, match="source 'events': error while reading and cleaning its rows"):
        world.prepared(tmp_path, world.specs(lagging), lower=lower, known_after=lower, until=until)


def test_old_folders_are_opened_for_rows_written_since(tmp_path: Path) -> None:
    days(tmp_path, count=10)
    late = datetime(2026, 1, 9, 18, tzinfo=UTC)
    put(tmp_path / "d/dt=2026-01-02/late.parquet", START + timedelta(days=1), user=99, made=pa.array([late]))
    spec = source(partitions={"dt": "day"}, created_timestamp="made")
    for name in ("dt=2026-01-10/part", "dt=2026-01-01/part"):
        put(tmp_path / f"d/{name}.parquet", datetime.fromisoformat(name[3:13] + "T12:00:00Z"), user=50)
    lower, until = at(START + timedelta(days=8)), at(START + timedelta(days=9))
    result, rows = world.prepared(tmp_path, world.specs(spec), lower=lower, known_after=lower, until=until)
    assert [row["user"] for row in rows] == [8, 99]
    assert (result.files_read, result.files_left) == (10, 1)


@pytest.mark.parametrize("created", [False, True])
def test_a_row_outside_of_its_folder_is_set_aside_by_every_run_that_reads_it(tmp_path: Path, created: bool) -> None:
    days(tmp_path)
    liars = [START + timedelta(days=20), START - MICRO, START + timedelta(days=1)]
    put(tmp_path / "d/dt=2026-01-01/lies.parquet", *liars, START + timedelta(days=1) - MICRO, START, user=77)
    more = {"created_timestamp": "made"} if created else {}
    if created:
        put(tmp_path / "d/dt=2026-01-31/last.parquet", made=pa.array([], pa.timestamp("us", "UTC")))
    spec = source(partitions={"dt": "day"}, **more)
    reason = {"ts is not the time that its folder says": 3}
    whole, rows = world.prepared(tmp_path, world.specs(spec))
    assert (whole.quarantined, len(rows)) == (reason, 33)
    low, end = at(START), at(START + timedelta(days=2))
    early, rows = world.prepared(tmp_path, world.specs(spec), lower=low, known_after=low, until=end)
    assert (early.quarantined, len(rows)) == (reason, 4)
    assert {row["ts"][:10] for row in world.quarantined(early)} == {"2026-01-21", "2025-12-31", "2026-01-02"}
    low, end = at(START + timedelta(days=18)), at(START + timedelta(days=25))
    later, rows = world.prepared(tmp_path, world.specs(spec), lower=low, known_after=low, until=end)
    # with created_timestamp old folders are opened, and the row looks late there
    assert later.quarantined == ({next(iter(reason)): 1} if created else {})
    assert {row["user"] for row in rows} == set(range(18, 25))


@pytest.mark.parametrize(
    ("partitions", "path"),
    [
        ({"dt": "day"}, "dt={:%Y%m%d}"),
        ({"y": "year", "m": "month", "d": "day"}, "y={:%Y}/m={:%m}/d={:%d}"),
        ({"h": "hour"}, "h={:%Y-%m-%dT%H}"),
        ({"h": "hour", "day": "day"}, "day={:%Y-%m-%d}/h={:%H}"),
        ({"m": "month"}, "m={:%Y-%m}"),
        ({"y": "year"}, "y={:%Y}"),
    ],
)
@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("UTC", "2024-02-29T00:00:00+00:00"), ("America/New_York", "2024-03-10T07:00:00+00:00"),
        ("America/New_York", "2024-11-03T06:00:00+00:00"), ("Australia/Lord_Howe", "2024-10-05T15:30:00+00:00"),
        ("Pacific/Apia", "2011-12-30T10:00:00+00:00"), ("America/St_Johns", "2006-10-29T02:31:00+00:00"),
        ("America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),
    ],
)  # fmt: skip
def test_every_instant_is_in_the_folder_of_its_local_time(
    tmp_path: Path, partitions: dict[str, str], path: str, zone: str, around: str
) -> None:
    moments = [datetime.fromisoformat(around) + timedelta(minutes=7 * n) for n in range(-450, 450, 5)]
    moments += [datetime.fromisoformat(around) + MICRO * n for n in (-1, 0, 1)]
    spec = source(partitions=partitions, timezone=zone)
    for moment in moments:
        local = moment.astimezone(ZoneInfo(zone))
        pairs = [part.split("=") for part in path.format(*[local] * 3).split("/")]
        (claim,) = claims(spec, Files("parquet", (tmp_path,), {key: (text,) for key, text in pairs}))
        assert claim is not None
        wall = at(local.replace(tzinfo=UTC, fold=0))
        assert claim.low <= wall < claim.high
        assert claim.first <= at(moment) < claim.last


def test_a_local_time_that_the_clocks_skip_is_in_its_folder(tmp_path: Path) -> None:
    """Naive times of the hour that does not exist mean the instant of the jump, which is in the next hour."""
    for hour in (1, 2, 3):
        naive = pa.array([datetime(2024, 3, 10, hour, 30)], pa.timestamp("us"))
        folder = tmp_path / f"d/h=2024-03-10T{hour:02}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"user": [hour], "ts": naive}), folder / "a.parquet")
    spec = source(partitions={"h": "hour"}, timezone="America/New_York")
    jump = at(datetime(2024, 3, 10, 7, tzinfo=UTC))
    result, rows = world.prepared(tmp_path, world.specs(spec), lower=jump, known_after=jump, until=jump + 1)
    assert ([row["user"] for row in rows], result.quarantined) == ([2], {})


@pytest.mark.parametrize("text", ["unknown", "2026-13-01", "__HIVE_DEFAULT_PARTITION__", "2026-01"])
def test_a_folder_that_says_no_time_is_always_read(tmp_path: Path, text: str) -> None:
    days(tmp_path)
    put(tmp_path / f"d/dt={text}/a.parquet", START + timedelta(days=20), user=99)
    low = at(START + timedelta(days=20))
    result, rows = world.prepared(
        tmp_path, world.specs(source(partitions={"dt": "day"})), lower=low, known_after=low, until=low + 1
    )
    assert ([row["user"] for row in rows], result.quarantined, result.files_read) == ([99], {}, 2)


def test_files_of_other_columns_and_types_may_be_left_out(tmp_path: Path) -> None:
    """Columns and their types are those of all files, whichever a run reads."""
    put(tmp_path / "d/dt=2026-01-01/a.parquet", START, n=pa.array([1], pa.int32()))
    put(tmp_path / "d/dt=2026-01-02/a.parquet", START + timedelta(days=1), n=[1.5], new=["x"])
    spec = source(partitions={"dt": "day"})
    assert describe(spec, tmp_path)["n"] == "float"
    _, rows = world.prepared(tmp_path, world.specs(spec), ["n", "new"], until=at(START) + 1)
    assert [(row["n"], row["new"]) for row in rows] == [(1.0, None)]
    _, rows = world.prepared(tmp_path, world.specs(spec), ["n", "new"], until=at(START) - 1)
    assert rows == []


def test_a_partition_that_no_folder_says_is_an_error(tmp_path: Path) -> None:
    days(tmp_path, count=1)
    with pytest.raises(LimnerError, match="partitions has 'day', but folders say dt: correct partitions or path"):
        describe(source(partitions={"day": "day"}), tmp_path)
    put(tmp_path / "e/a.parquet", START)
    with pytest.raises(LimnerError, match="but no folder is named key=value"):
        describe(source(path="e", partitions={"day": "day"}), tmp_path)

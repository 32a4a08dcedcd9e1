"""A source written to disk, and its rows as a preparation gives them back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.models import Entity, LogicalType, Source
from limner.language.repo import Specs
from limner.language.template import Template
from limner.workers.sources.describe import describe
from limner.workers.sources.prepare import Prepared, PrepareRequest, prepare
from limner.workers.sources.request import RowText

FOREVER = 1 << 62
DAY = 86_400_000_000


def source(name: str = "events", **keys: Any) -> Source:
    """A Parquet source of entity `user`, unless `keys` say otherwise."""
    written = {"source": name, "path": f"{name}.parquet", **keys}
    if "table" in written:
        del written["path"]
    return Source.model_validate(written)


def specs(*sources: Source, keys: Mapping[str, str] | None = None) -> Specs:
    """Specs of these sources, and one entity."""
    entity = Entity.model_validate({"entity": "user", "join_keys": dict(keys or {"user": "int"})})
    return Specs(entities={"user": entity}, sources={each.source: each for each in sources})


def write(root: Path, name: str, columns: Mapping[str, Any]) -> None:
    """A Parquet file of columns: Arrow arrays or lists."""
    pq.write_table(pa.table(dict(columns)), root / f"{name}.parquet")


def request(root: Path, all_specs: Specs, columns: Sequence[str] = (), **keys: Any) -> PrepareRequest:
    """A request for all rows of the first source, unless `keys` say otherwise."""
    name = next(iter(all_specs.sources))
    raw: dict[str, dict[str, LogicalType]] = {each: describe(s, root) for each, s in all_specs.sources.items()}
    stage = root / "stage"
    stage.mkdir(exist_ok=True)
    defaults: dict[str, Any] = {
        "specs": all_specs,
        "source": name,
        "join_keys": tuple(next(iter(all_specs.entities.values())).join_keys),
        "columns": tuple(columns),
        "raw": raw,
        "texts": {},
        "lower": None,
        "known_after": -FOREVER,
        "until": FOREVER,
        "total_order": True,
        "shards": 1,
        "root": root,
        "stage": stage,
        "run_id": "run",
        "threads": 1,
    }
    return PrepareRequest(**{**defaults, **keys})


def prepared(
    root: Path, all_specs: Specs, columns: Sequence[str] = (), **keys: Any
) -> tuple[Prepared, list[dict[str, Any]]]:
    """What a preparation says, and its rows, shard after shard."""
    result = prepare(request(root, all_specs, columns, **keys))
    return result, [row for shard in result.shards for row in pq.read_table(shard).to_pylist()]


def texts(template: str, prefix: str = "") -> dict[str, RowText]:
    """One digest column, `text`."""
    return {"text": RowText(Template(template), prefix)}


def micros(*instants: int, unit: str = "us", zone: str | None = "UTC") -> pa.Array:
    """Timestamps of integers."""
    return pa.array(instants, pa.timestamp(unit, zone))


def quarantined(result: Prepared) -> list[dict[str, Any]]:
    """The rows set aside."""
    assert result.quarantine_file is not None
    rows: list[dict[str, Any]] = pq.read_table(result.quarantine_file).to_pylist()
    return rows

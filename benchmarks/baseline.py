"""Holding a run to an earlier one: by its ratios, which another machine changes little, and never by seconds."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limner.language.errors import LimnerError

SLACK = 1.5  # of a ratio, which two runs of the same code seldom differ by


def worse(found: Mapping[str, Any], earlier: Mapping[str, Any], slack: float = SLACK) -> list[str]:
    """A line for each ratio of a report (as JSON) that is worse than the earlier report's by more than `slack`."""
    before = {row["name"]: row for row in earlier["ratios"]}
    lines = []
    for row in found["ratios"]:
        known = before.get(row["name"])
        if known is None:
            continue
        lost = known["value"] / row["value"] if row["better"] == "more" else row["value"] / known["value"]
        if lost > slack:
            lines.append(f"{found['benchmark']}: {row['name']}: {row['value']:.3g}, was {known['value']:.3g}")
    return lines


def reports(folder: Path, order: Sequence[str]) -> list[dict[str, Any]]:
    """All reports of a folder: those of benchmarks in `order` first, `NAME.json` and `NAME.size.json`, then the others.

    LimnerError if there are none.
    """
    ranks = {name: rank for rank, name in enumerate(order)}
    paths = sorted(folder.glob("*.json"), key=lambda path: (ranks.get(path.name.split(".")[0], len(order)), path.stem))
    if not paths:
        raise LimnerError(f"there are no reports in {folder}: `limner bench all --json {folder}` writes them")
    return [read(path) for path in paths]


def read(path: Path) -> dict[str, Any]:
    """A report written by `--json`; LimnerError if it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LimnerError(f"cannot read the report {path}: {error}") from error
    if not isinstance(found, dict) or not {"benchmark", "ratios"} <= set(found):
        raise LimnerError(f"{path} is no report of `limner bench NAME --json FILE`")
    return found

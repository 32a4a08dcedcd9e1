"""Counters and histograms of one worker, and the sum over all workers as Prometheus text.

Each worker writes its numbers to a file of its own; whichever is scraped adds up what the files say. The file of a
worker that has ended stays, so that counters never fall.
"""

import contextlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_HELP = {
    "limner_request_seconds": ("histogram", "From the request to its answer, by route."),
    "limner_requests_total": ("counter", "Answers, by route and status."),
    "limner_keys_total": ("counter", "Rows that were looked up, by profile or view."),
    "limner_missing_keys_total": ("counter", "Rows that were looked up and not there, by profile or view."),
    "limner_reloads_total": ("counter", "Times that a new registry or configuration was taken up, by how it ended."),
    "limner_refused_total": ("counter", "Requests turned away because too many waited."),
}
Gauges = Iterable[tuple[str, str, Mapping[str, float]]]  # name, help, value by label text


class Metrics:
    """One worker's numbers. Only the event loop's thread may count."""

    def __init__(self, folder: Path | None = None, slot: int = 0) -> None:
        """`folder` is shared by the workers, each has another `slot`; None keeps the numbers to this process."""
        self._file = None if folder is None else folder / f"{slot}.json"
        self._counters: dict[str, float] = {}
        self._seconds: dict[str, list[float]] = {}  # a route: a count a bucket, one for longer ones, the sum

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = _key(name, *labels.items())
        self._counters[key] = self._counters.get(key, 0) + by

    def answered(self, route: str, status: int, seconds: float) -> None:
        """One answer."""
        found = self._seconds.get(route)
        if found is None:
            found = self._seconds[route] = [0.0] * (len(BUCKETS) + 2)
        found[bisect_left(BUCKETS, seconds)] += 1
        found[-1] += seconds
        self.count("limner_requests_total", route=route, status=str(status))

    def write(self) -> None:
        """Let the other workers see the numbers."""
        if self._file is not None:
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps([self._counters, self._seconds]))
            part.replace(self._file)

    def text(self, gauges: Gauges = ()) -> str:
        """All workers' numbers in Prometheus' text format, version 0.0.4."""
        counters, seconds = dict(self._counters), {route: list(each) for route, each in self._seconds.items()}
        for file in [] if self._file is None else self._file.parent.glob("*.json"):
            if file != self._file:
                with contextlib.suppress(OSError, ValueError):
                    _add(counters, seconds, *_read(file))
        lines = _histograms(seconds)
        for name in [name for name, (kind, _) in _HELP.items() if kind == "counter"]:
            found = {key: value for key, value in counters.items() if key.partition("{")[0] == name}
            lines += _lines(name, "counter", _HELP[name][1], found)
        for name, told, values in gauges:
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += _lines(name, kind, told, {name + labels: value for labels, value in values.items()})
        return "\n".join(lines) + "\n"


def label(**labels: str) -> str:
    """Labels as text, for gauges."""
    return _labels(labels)


def _read(file: Path) -> tuple[dict[str, float], dict[str, list[float]]]:
    counters, seconds = json.loads(file.read_text())
    return counters, seconds


def _add(
    counters: dict[str, float], seconds: dict[str, list[float]], more: Mapping[str, float], longer: Mapping[str, Any]
) -> None:
    for key, value in more.items():
        counters[key] = counters.get(key, 0) + value
    for route, each in longer.items():
        seconds[route] = [a + b for a, b in zip(seconds.get(route, [0.0] * len(each)), each, strict=True)]


def _histograms(seconds: Mapping[str, list[float]]) -> list[str]:
    name = "limner_request_seconds"
    lines = [f"# HELP {name} {_HELP[name][1]}", f"# TYPE {name} histogram"]
    for route, found in sorted(seconds.items()):
        total = 0.0
        for bound, count in zip([*map(str, BUCKETS), "+Inf"], found, strict=False):
            total += count
            lines.append(f"{name}_bucket{_labels({'route': route, 'le': bound})} {total:.0f}")
        lines += [
            f"{name}_sum{_labels({'route': route})} {found[-1]!r}",
            f"{name}_count{_labels({'route': route})} {total:.0f}",
        ]
    return lines


def _lines(name: str, kind: str, told: str, values: Mapping[str, float]) -> list[str]:
    head = [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
    return [*head, *(f"{key} {value!r}" for key, value in sorted(values.items()))]


@lru_cache(maxsize=4096)
def _key(name: str, *labels: tuple[str, str]) -> str:
    return name + _labels(dict(labels))


def _labels(labels: Mapping[str, str]) -> str:
    escaped = {k: v.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for k, v in labels.items()}
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}" if labels else ""

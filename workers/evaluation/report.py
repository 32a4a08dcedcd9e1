"""One HTML file that shows how good a version of a model is: no server, no script, nothing fetched, fit to be printed.

The same evaluation gives the same bytes: it holds no time of its making.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from limner.workers.evaluation.bootstrap import Interval
from limner.workers.evaluation.charts import Chart
from limner.workers.evaluation.compare import Comparison
from limner.workers.evaluation.evaluate import Confusion, Evaluation


@dataclass(frozen=True)
class Contribution:
    """A feature's mean contribution to scores, in the unit of the score: its size, and its mean with sign."""

    feature: str
    size: float
    mean: float


@dataclass(frozen=True)
class About:
    """What was evaluated. `facts`: name to what is said, shown as they come (instants with their zone)."""

    model: str
    version: str
    description: str = ""
    asked: str = ""  # the question it answers, in words
    facts: Mapping[str, str] = field(default_factory=dict)  # data window, cut-off, horizon, seed
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def write(
    path: Path,
    about: About,
    evaluation: Evaluation,
    more: Sequence[Chart] = (),
    contributions: Sequence[Contribution] = (),
) -> None:
    """Write the report; `more` are plots beside the evaluation's own: drift, segments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(about, evaluation, more, contributions), encoding="utf-8")


def render(
    about: About, evaluation: Evaluation, more: Sequence[Chart] = (), contributions: Sequence[Contribution] = ()
) -> str:
    """The report as HTML. Everything that was given is escaped; only plots are markup, made by `svg`, which escapes."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        (files("limner.workers.evaluation") / "templates" / "report.html").read_text(encoding="utf-8")
    )
    comparison = evaluation.comparison
    largest = max((each.size for each in contributions), default=0.0) or 1.0
    return template.render(
        about=about,
        comparison=comparison,
        heads=[_head(comparison, place) for place in range(len(comparison.measures))],
        table=_table(comparison),
        verdict=verdict(comparison),
        charts=[
            (each, Markup(each.svg), [(Markup(swatch), name) for swatch, name in each.legend])  # noqa: S704
            for each in (*evaluation.charts, *more)
        ],
        confusion=_confusion(evaluation.confusion),
        contributions=[(each, f"{each.size / largest * 100:.1f}") for each in contributions],
    )


def figure(found: Interval) -> str:
    """A value to three decimals, or what stands for an undefined one."""
    return f"{found.value:.3f}" if not math.isnan(found.value) else "undefined"


def verdict(comparison: Comparison) -> str:
    """What came out, in a sentence."""
    decides, unbeaten = comparison.measures[0].name, comparison.unbeaten()
    if not unbeaten:
        return f"{comparison.model} beats every baseline in {decides}."
    lost = [name for name, each in comparison.differences.items() if each[decides].verdict == "loses"]
    if lost:
        return f"{comparison.model} loses to {_listed(lost)} in {decides}."
    return f"{comparison.model} does not beat {_listed(unbeaten)} in {decides}: the difference may be chance."


def _head(comparison: Comparison, place: int) -> tuple[str, str]:
    measure = comparison.measures[place]
    return measure.name, "more is better" if measure.better == "more" else "less is better"


def _table(comparison: Comparison) -> list[dict[str, Any]]:
    """A row a measure: the model's figure, then each baseline's with what the model's difference from it says."""
    rows = []
    for measure in comparison.measures:
        cells = [
            {
                "figure": figure(comparison.intervals[comparison.model][measure.name]),
                "interval": interval(comparison.intervals[comparison.model][measure.name]),
                "verdict": "",
                "difference": "",
                "range": "",
            }
        ]
        for name, each in comparison.differences.items():
            other, difference = comparison.intervals[name][measure.name], each[measure.name]
            cells.append(
                {
                    "figure": figure(other),
                    "interval": interval(other),
                    "verdict": difference.verdict,
                    "difference": f"{difference.interval.value:+.3f}",
                    "range": interval(difference.interval, "+.3f"),
                }
            )
        rows.append({"name": measure.name, "better": measure.better, "cells": cells})
    return rows


def interval(found: Interval, form: str = ".3f") -> str:
    """Its bounds to three decimals, or what stands for undefined ones."""
    if math.isnan(found.low):
        return "undefined"
    return f"{found.low:{form}} to {found.high:{form}}"


def _confusion(found: Confusion | None) -> dict[str, Any] | None:
    """Counts with the share of the true class's rows, which shades the cell."""
    if found is None:
        return None
    totals = found.counts.sum(axis=1)
    rows = [
        (name, f"{totals[down]:,}", [(f"{count:,}", count / max(1, totals[down])) for count in found.counts[down]])
        for down, name in enumerate(found.names)
    ]
    return {"names": found.names, "rows": rows}


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

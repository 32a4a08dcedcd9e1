"""What stands between `limner evaluate` and a kind of models: what a kind is handed, and what it tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from limner.language.models import LearnedModel
from limner.language.repo import Specs
from limner.workers.context import RunContext
from limner.workers.evaluation.bootstrap import DRAWS
from limner.workers.evaluation.charts import Chart
from limner.workers.evaluation.drift import Drift
from limner.workers.evaluation.evaluate import Evaluation
from limner.workers.evaluation.report import Contribution
from limner.workers.models.versions import Version

Basis = Literal["later", "earlier"]
"""`later`: measured on what came after the version's cut-off. `earlier`: too little has come since, so the same
procedure was carried out as of an earlier cut-off, and measured on what came between."""


@dataclass(frozen=True)
class Asked:
    """One version to be evaluated, of the model's definition as it is now.

    `known_by`: nothing known later is looked at, µs. `stage`: an empty folder, removed afterwards.
    """

    specs: Specs
    model: LearnedModel
    version: Version
    known_by: int
    root: Path
    data: Path
    stage: Path
    context: RunContext
    draws: int = DRAWS


@dataclass(frozen=True)
class Told:
    """How good a version is. The first contender of `evaluation` is the model, the others are its baselines.

    `question`: what it answers, in words. `facts`: what was learned from and measured on, as they are to be read.
    """

    basis: Basis
    evaluation: Evaluation
    question: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    charts: tuple[Chart, ...] = ()


Evaluate = Callable[[Asked], Told]
"""One kind's. Raises LimnerError, which says why, for a version that cannot be measured."""

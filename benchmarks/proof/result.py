"""One question of the proof, and what came out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from limner.language.errors import LimnerError
from limner.workers.evaluation.evaluate import Evaluation
from limner.workers.evaluation.report import Contribution


@dataclass(frozen=True)
class Result:
    """`floor`: what the deciding measure must reach, where that is given. `facts` say how it was made."""

    name: str
    question: str
    evaluation: Evaluation
    facts: Mapping[str, str]
    floor: float | None = None
    fingerprint: str = ""
    contributions: tuple[Contribution, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @property
    def met(self) -> bool | None:
        """Whether the floor is reached by the figure itself; None without one."""
        if self.floor is None:
            return None
        comparison = self.evaluation.comparison
        return comparison.intervals[comparison.model][comparison.measures[0].name].value >= self.floor


def package_folder(package: str) -> Path:
    """Where an installed package's files lie; it is not imported. LimnerError if it is not installed."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LimnerError(f"the proof needs the data in {package}: `pip install 'limner[bench]'`")
    return Path(next(iter(spec.submodule_search_locations)))

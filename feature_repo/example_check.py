"""A plan refuses a spec whose examples fail."""

import tempfile
from pathlib import Path

from limner.feature_repo.compile import Compiled
from limner.language.errors import Problem, SpecError
from limner.workers.examples import Outcome, run_examples


def refuse_failing(compiled: Compiled) -> None:
    """Run the examples of all views; SpecError with a problem for each value that is another than expected."""
    with tempfile.TemporaryDirectory(prefix="limner-examples-") as folder:
        problems = [
            problem
            for name, plan in compiled.plans.items()
            for outcome in run_examples(compiled.specs, name, plan.raw, Path(folder))
            for problem in _problems(compiled, outcome)
        ]
    if problems:
        raise SpecError(problems)


def _problems(compiled: Compiled, outcome: Outcome) -> list[Problem]:
    origin = compiled.specs.origin("feature_view", outcome.view)
    return [
        origin.problem(
            ("examples", outcome.number - 1, "expect", each.feature),
            f"the example expects {each.expected!r}, and the view gives {each.found!r}: correct one of them",
        )
        for each in outcome.differences
    ]

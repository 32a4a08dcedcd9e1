"""Texts a second: in process and through Triton, in turns."""

from pathlib import Path
from typing import TYPE_CHECKING

from limner.benchmarks.report import Report
from limner.benchmarks.texts import reviews
from limner.benchmarks.turns import in_turns
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.resolve import EncoderModel
    from limner.workers.encoder.settings import TritonSettings


def compare(home: "TritonHome", settings: "TritonSettings", model: "EncoderModel", texts: int, rounds: int) -> Report:
    """Encode `texts` distinct texts a round with the same engine in process and through a Triton that is up."""
    from limner.workers.encoder.client import TritonEncoder
    from limner.workers.encoder.direct import direct

    client = TritonEncoder(settings, model)
    with direct(model, home, client.transport.parameters(model.name)) as process:

        def served(number: int) -> None:
            failures = client.encode(_sample(texts, number)).failures
            if failures:
                raise LimnerError(f"{len(failures)} texts failed: {next(iter(failures.values()))}")

        contenders = {"alone": lambda number: process.seconds(_sample(texts, number)), "served": served}
        seconds = in_turns(contenders, rounds)
        engine = process.engine
    report = Report("encode", {"encoder": model.name, "engine": engine, "texts": texts})
    report.measure("in process", "texts/s", [texts / each for each in seconds["alone"]])
    report.measure("through Triton", "texts/s", [texts / each for each in seconds["served"]])
    report.compare("through Triton over in process", seconds["alone"], seconds["served"], target=0.9)
    return report


def _sample(texts: int, number: int) -> list[str]:
    """Sorted by length as a run sorts them; new texts each round."""
    return sorted(reviews(texts, seed=number), key=len)


def run(
    _folder: Path, root: Path, model: "EncoderModel", settings: "TritonSettings", texts: int, rounds: int
) -> Report:
    """Bring the project's Triton up if it is down, compare, and leave it as it was."""
    from limner.workers.encoder import serving
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.server import find

    home = TritonHome(root)
    ran_before = find(home) is not None
    try:
        serving.up(home, settings, [model], lambda _line: None)
        return compare(home, settings, model, texts, rounds)
    finally:
        if not ran_before:
            serving.down(home, lambda _line: None)

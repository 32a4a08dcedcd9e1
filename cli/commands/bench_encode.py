"""`limner bench encode`: texts a second in process and through Triton, side by side."""

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import output, project
from limner.cli.commands.triton import encoders
from limner.cli.options import JsonOption, ProjectOption
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.resolve import EncoderModel
    from limner.workers.encoder.settings import TritonSettings

# Enough of Zipf's law for texts of realistic lengths: a frequent word first.
WORDS = (
    "the and a is it to of this for i in was my very with but not good have on so great as these are you "
    "that love quality product really would they taste price when had like one just out from milk bread "
    "buy again arrived fresh box package delivery small bottle organic chocolate coffee smell store "
    "recommend family kitchen sweet cheese breakfast disappointed perfect texture ingredients refund "
    "unfortunately container satisfied "
)


@dataclass(frozen=True)
class Comparison:
    """Medians over the rounds, in texts a second; `share` is the median of what Triton kept in each round."""

    encoder: str
    engine: str
    texts: int
    rounds: int
    rows_per_request: int
    in_flight: int
    in_process: float
    through_triton: float
    share: float


def bench_encode(
    encoder: Annotated[str | None, typer.Option(help="Which encoder of the specs. Default: the first.")] = None,
    texts: Annotated[int, typer.Option(min=64, help="Distinct texts a round.")] = 1024,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; medians are printed.")] = 7,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Encode the same texts with the same engine in process and through Triton, in turns."""
    from limner.workers.encoder import serving
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.server import find

    root = project.find(project_folder)
    home, settings = TritonHome(root), project.settings(root).triton
    models = encoders(root)
    chosen = [model for model in models if encoder in (None, model.name)]
    if not chosen:
        raise LimnerError(f"no encoder {encoder!r}: the specs have {', '.join(model.name for model in models)}")
    ran_before = find(home) is not None
    try:
        serving.up(home, settings, chosen[:1], _say)
        result = compare(home, settings, chosen[0], texts, rounds)
    finally:
        if not ran_before:
            serving.down(home, _say)
    if json:
        output.emit_json(asdict(result))
        return 0
    say = output.console().print
    say(f"encoder {result.encoder}, {result.engine}; {texts} distinct texts a round, medians of {rounds} rounds")
    say(f"in process       {result.in_process:9.0f} texts/s")
    say(
        f"through Triton   {result.through_triton:9.0f} texts/s   "
        f"({result.rows_per_request} a request, {result.in_flight} in flight)"
    )
    say(f"share            {result.share:9.1%}")
    return 0


def compare(
    home: "TritonHome", settings: "TritonSettings", model: "EncoderModel", count: int, rounds: int
) -> Comparison:
    """Take turns, so that whatever else the machine does meets both alike."""
    import time

    from limner.workers.encoder.client import TritonEncoder
    from limner.workers.encoder.direct import direct

    client = TritonEncoder(settings, model)
    parameters = client.transport.parameters(model.name)
    alone, served = [], []
    with direct(model, home, parameters) as process:
        for number in range(rounds + 1):
            # Sorted by length as a run sorts them; new texts each round.
            sample = sorted(reviews(count, seed=number), key=len)
            alone.append(process.seconds(sample))
            started = time.perf_counter()
            failures = client.encode(sample).failures
            served.append(time.perf_counter() - started)
            if failures:
                raise LimnerError(f"{len(failures)} texts failed: {next(iter(failures.values()))}")
        engine = process.engine
    # The first round warms whatever is cold and is not counted.
    alone, served = alone[1:], served[1:]
    return Comparison(
        encoder=model.name,
        engine=engine,
        texts=count,
        rounds=rounds,
        rows_per_request=settings.rows_per_request,
        in_flight=settings.in_flight,
        in_process=count / median(alone),
        through_triton=count / median(served),
        share=median(one / other for one, other in zip(alone, served, strict=True)),
    )


def reviews(count: int, seed: int) -> list[str]:
    """Return distinct texts as long as product reviews are: a median of 22 words, one in fifty above 100."""
    from random import Random

    random = Random(seed)  # noqa: S311 (a benchmark's texts)
    words = WORDS.split()
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    lengths = [min(220, max(3, round(random.lognormvariate(3.1, 0.75)))) for _ in range(count)]
    return [
        f"{' '.join(random.choices(words, weights, k=length))} {seed}-{number}" for number, length in enumerate(lengths)
    ]


def _say(line: str) -> None:
    output.side_console().print(line, markup=False, soft_wrap=True)

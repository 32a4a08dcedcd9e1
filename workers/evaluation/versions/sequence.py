"""A version of a model of sequences, on what came next from its cut-off on."""

import numpy as np

from limner.language.errors import LimnerError
from limner.workers.evaluation.compare import Measure, compare
from limner.workers.evaluation.evaluate import Evaluation
from limner.workers.evaluation.versions.asked import Asked, Told
from limner.workers.evaluation.weighted import mean
from limner.workers.members import text_of
from limner.workers.models.sequences.events import Events, Following, following, newest, read_events
from limner.workers.models.sequences.fitting import request_of
from limner.workers.models.sequences.learned import Encoder, read_encoder
from limner.workers.models.sequences.measures import HALF_LIVES, K, Ranked, own_frequency, popularity, ranked
from limner.workers.models.sequences.training import LEAST, MEASURED
from limner.workers.sources.prepare import Prepared, prepare
from limner.workers.windows.column import Ints

_EVER = 2**62
_READ = 1024  # sequences at a time


def sequence(asked: Asked) -> Told:
    """Beside own frequency and popularity, both of the rows before the cut-off and, own frequency, of those since.

    Rows count as known when they happened. LimnerError where too little follows since the cut-off.
    """
    from threadpoolctl import threadpool_limits

    name, cut_off, learns = asked.model.model, asked.version.cut_off, asked.model.sequence
    assert learns is not None
    events = _events(asked)
    used = read_encoder(asked.data, name, asked.version.id)
    with threadpool_limits(1):  # sums of several threads depend on their number
        rows = used.places(events.words)
        follows = following(events, rows[:, 0])
        every = follows.between(cut_off, _EVER)
        later = _some(every)
        if len(later.row) < LEAST or len(np.unique(events.entity[later.row])) < 2:
            raise LimnerError(
                f"model {name}: version {asked.version.id} cannot be measured: since {text_of(cut_off)}, "
                f"{len(later.row):,} rows followed others by {text_of(asked.known_by)}: `limner models {name}` says "
                "what the same procedure was worth as of an earlier cut-off"
            )
        contenders = {name: _said(used, events, rows, later)} | _baselines(
            events, rows[:, 0], used, follows, later, cut_off
        )
    measures = [Measure(f"NDCG@{K}"), Measure(f"recall@{K}"), Measure(f"hit rate@{K}")]
    comparison = compare(
        {
            key: {f"NDCG@{K}": mean(each.ndcg), f"recall@{K}": mean(each.recall), f"hit rate@{K}": mean(each.hit)}
            for key, each in contenders.items()
        },
        measures,
        events.entity[later.row],
        asked.draws,
        seed=asked.version.seed,
    )
    return Told(
        basis="later",
        evaluation=Evaluation(comparison, ()),
        question=f"Which {learns.item} of {learns.from_} comes next?",
        facts={
            "learned from": f"{asked.version.examples['learned_from']:,} rows that followed others",
            "measured on": f"{len(later.row):,} of {len(every.row):,} instants that followed others from "
            f"{text_of(int(later.time.min()))} to {text_of(int(later.time.max()))}; {len(used.items):,} items",
        },
    )


def _events(asked: Asked) -> Events:
    """The rows that are known, of the whole time: what came before is read, too."""
    learns = asked.model.sequence
    assert learns is not None
    whole = learns.model_copy(update={"over": None})
    request = request_of(
        asked.specs, asked.model, asked.known_by, asked.root, asked.data, asked.stage / "rows", asked.context
    )
    request.stage.mkdir(parents=True)
    prepared: list[Prepared] = list(asked.context.workers.map(prepare, [request]))
    return read_events(prepared[0].shards, request.join_keys, whole, asked.known_by)


def _some(follows: Following) -> Following:
    """At most so many as are measured: of more, every so manyth."""
    count = len(follows.row)
    return follows if count <= MEASURED else follows.of(np.arange(MEASURED) * count // MEASURED)


def _said(used: Encoder, events: Events, rows: Ints, later: Following) -> Ranked:
    length = used.content.length
    states = [
        used.states(*used.read(rows, events.time, newest(events, later.row[begin : begin + _READ], length)))
        for begin in range(0, len(later.row), _READ)
    ]
    whole = np.concatenate(states)
    return ranked(later, len(used.items), lambda some: used.network.scores(whole[some])[:, 1:])


def _baselines(
    events: Events, item: Ints, used: Encoder, follows: Following, later: Following, cut_off: int
) -> dict[str, Ranked]:
    """Own frequency, with the half-life that ranked best what followed before the cut-off, and popularity."""
    items = len(used.items)
    popular = popularity(item[events.time < cut_off], items)

    def own(some: Following, half_life: int | None) -> Ranked:
        return ranked(some, items, own_frequency(events, item, some, popular, half_life))

    before = _some(follows.between(-_EVER, cut_off))
    best = max(HALF_LIVES, key=lambda each: own(before, each).ndcg.mean())
    told = "own frequency" if best is None else f"own frequency, half-life {best} days"
    return {
        told: own(later, best),
        "popularity": ranked(later, items, lambda some: np.tile(popular, (len(some), 1))),
    }

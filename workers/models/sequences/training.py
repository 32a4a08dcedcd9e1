"""From rows to a version: learn on earlier ones, stop on later ones, measure on ones later still; then learn from all.

The version that is measured knew nothing of what it is measured on. The one that is registered has learned from every
row, as often as the other one found to be enough.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limner.language.errors import LimnerError
from limner.language.learning.sequence import SequenceEncoder
from limner.workers.members import text_of
from limner.workers.models.making import Trained
from limner.workers.models.sequences.events import Events, Following, following, newest, read_events
from limner.workers.models.sequences.learned import Content, contents, encoder, files
from limner.workers.models.sequences.learning import Learning, learn
from limner.workers.models.sequences.measures import HALF_LIVES, K, Ranked, measured, own_frequency, popularity, ranked
from limner.workers.models.sequences.modules import Reads
from limner.workers.models.sequences.vocabulary import learned, places
from limner.workers.models.versions import Version, register
from limner.workers.windows.column import Bools

LATER = 0.2  # the part of what follows that is kept to measure on, and of what is left to stop on
LEAST = 20  # things that follow, or one cannot tell anything by them
MEASURED = 5000
"""At most so many instants are measured on: of more, every so manyth."""
BLIND = 8  # epochs where nothing says when to stop
_EVER = 2**62
_READ = 1024  # sequences at a time


@dataclass(frozen=True)
class SequenceTraining:
    """What a worker process is handed: staged rows, and what to make of them."""

    shards: tuple[Path, ...]
    join_keys: tuple[str, ...]
    learns: SequenceEncoder
    version: Version  # without what is found out
    data: Path


@dataclass(frozen=True)
class _Learned:
    content: Content
    reads: Reads
    follows: Following
    learning: Learning


def train(task: SequenceTraining) -> Trained:
    """Learn, measure and register. LimnerError where nothing can be learned."""
    from threadpoolctl import threadpool_limits

    version, learns = task.version, task.learns
    events = read_events(task.shards, task.join_keys, learns, version.cut_off)
    _check(events, task)
    with threadpool_limits(1):
        metrics, epochs, notes = _measure(events, task)
        found = _learn(events, np.ones(len(events), bool), None, epochs, task)
    made = files(found.content, found.learning.arrays)
    entities = int(events.entity[-1]) + 1
    version = version.model_copy(
        update={
            "data": events.identity,
            "examples": {
                "found": len(events),
                "learned_from": len(found.follows.row),
                "entities": entities,
                "instants": len(events.instants.begin),
                "items": len(found.content.words[0]),
                "epochs": found.learning.epochs,
                "first": int(events.time.min()),
                "last": int(events.time.max()),
            },
            "metrics": metrics,
            "notes": (*version.notes, *notes),
            "files": contents(made),
        }
    )
    register(task.data, version, made)
    return Trained(version, registered=True)


def _check(events: Events, task: SequenceTraining) -> None:
    learns, name, cut_off = task.learns, task.version.model, text_of(task.version.cut_off)
    if not len(events):
        raise LimnerError(
            f"model {name}: no row of {learns.from_} that is known by {cut_off} has a {learns.item}: choose a later "
            "cut-off"
        )
    if len(learned(events.words[0], learns.least)) < 2:
        raise LimnerError(
            f"model {name}: fewer than two values of {learns.item} were seen {learns.least} times by {cut_off}, so "
            "there is nothing to tell apart: choose a later cut-off, or a lower `least`"
        )
    if not len(_follows(events, learns, np.ones(len(events), bool)).row):
        raise LimnerError(
            f"model {name}: nobody has rows of {learns.from_} at two instants by {cut_off}, so nothing follows: choose "
            "a later cut-off"
        )


def _follows(events: Events, learns: SequenceEncoder, known: Bools) -> Following:
    return following(events, places(events.words[0], learned(events.of(known).words[0], learns.least)))


def _learn(
    events: Events, known: Bools, later: tuple[int, int] | None, epochs: int, task: SequenceTraining
) -> _Learned:
    """Learn from what follows among the rows that are `known`; with `later` stop by what follows then (µs)."""
    learns = task.learns
    words = tuple(learned(each, learns.least) for each in events.of(known).words)
    rows = np.stack([places(each, known) for each, known in zip(events.words, words, strict=True)], axis=1)
    reads = Reads(rows, tuple(len(each) + 2 for each in words), learns.length, learns.dim, learns.architecture)
    follows = following(events, rows[:, 0])
    early = follows if later is None else follows.between(-_EVER, later[0])
    late = None if later is None else follows.between(*later)
    learning = learn(events, reads, early, late, epochs, task.version.seed)
    content = Content(kind=learns.architecture, columns=learns.read, words=words, length=learns.length, dim=learns.dim)
    return _Learned(content, reads, follows, learning)


def _measure(events: Events, task: SequenceTraining) -> tuple[dict[str, float], int, list[str]]:
    """Figures, how many epochs are enough, and notes."""
    learns = task.learns
    when = np.sort(following(events, np.zeros(len(events), np.int64)).time)
    begin = when[int(len(when) * (1 - LATER))]
    before = when[when < begin]
    stop = before[int(len(before) * (1 - LATER))] if len(before) else begin
    known = events.time < stop
    enough = min((when < stop).sum(), ((when >= stop) & (when < begin)).sum(), (when >= begin).sum()) >= LEAST
    if not enough or len(learned(events.of(known).words[0], learns.least)) < 2:
        return {}, min(BLIND, learns.epochs), ["not measured: there is too little to keep later rows apart"]
    found = _learn(events, known, (int(stop), int(begin)), learns.epochs, task)
    later = found.follows.between(int(begin), _EVER)
    if len(later.row) > MEASURED:
        later = later.of(np.arange(MEASURED) * len(later.row) // MEASURED)
    item, items = found.reads.rows[:, 0], len(found.content.words[0])
    popular = popularity(item[events.time < begin], items)

    def own(follows: Following, half_life: int | None) -> Ranked:
        return ranked(follows, items, own_frequency(events, item, follows, popular, half_life))

    tune = found.follows.between(int(stop), int(begin))
    tune = tune.of(np.arange(min(MEASURED, len(tune.row))) * len(tune.row) // min(MEASURED, len(tune.row)))
    half_life = max(HALF_LIVES, key=lambda each: own(tune, each).ndcg.mean())
    contenders = {
        "model": _ranked(events, found, later),
        "own_frequency": own(later, half_life),
        "popularity": ranked(later, items, lambda some: np.tile(popular, (len(some), 1))),
    }
    metrics, verdicts = measured(contenders, events.entity[later.row], task.version.seed)
    metrics |= {"queries": float(len(later.row))} | ({} if half_life is None else {"half_life_days": float(half_life)})
    return metrics, found.learning.epochs, [_told(name, each, metrics) for name, each in verdicts.items()]


def _ranked(events: Events, found: _Learned, later: Following) -> Ranked:
    """What the network says, as it is used."""
    used = encoder(found.content, found.learning.arrays)
    states = [
        used.states(*used.read(found.reads.rows, events.time, newest(events, later.row[some], found.content.length)))
        for begin in range(0, len(later.row), _READ)
        if len(some := np.arange(begin, min(begin + _READ, len(later.row))))
    ]
    whole = np.concatenate(states)
    return ranked(later, len(used.items), lambda some: used.network.scores(whole[some])[:, 1:])


def _told(name: str, verdict: str, metrics: dict[str, float]) -> str:
    said = {"beats": "beats", "ties": "does not beat", "loses": "is worse than"}[verdict]
    model, other = metrics[f"ndcg_at_{K}"], metrics[f"{name}_ndcg_at_{K}"]
    return f"{said} {name.replace('_', ' ')} in what comes next: NDCG@{K} {model:.3f}, beside {other:.3f}"

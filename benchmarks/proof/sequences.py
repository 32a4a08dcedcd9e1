"""What a network that has read a household's baskets in their order says of the next month, alone and with habits.

It is the network of `sequence`: it learns what the next basket has. The question is about a month, and it was not
asked for that: the ranking is that of the basket after the cut-off.
"""

from time import perf_counter

import numpy as np

from limner.benchmarks.proof.categories import AFTER, CHOSEN, DAY, K, events_of, half_life_of, relevant_in
from limner.benchmarks.proof.journey import CUT_OFF, Journey, micros
from limner.benchmarks.proof.result import Result
from limner.workers.evaluation.evaluate import of_rankings
from limner.workers.evaluation.habits import Events as Habits
from limner.workers.evaluation.habits import own_frequency, popularity
from limner.workers.evaluation.ranking import Ids, Ranking, Scored
from limner.workers.evaluation.weighted import Array
from limner.workers.models.sequences.events import Events, following, newest
from limner.workers.models.sequences.learned import Content, encoder
from limner.workers.models.sequences.learning import learn
from limner.workers.models.sequences.modules import Reads
from limner.workers.models.sequences.vocabulary import FIRST

LENGTH, DIM, EPOCHS = 100, 32, 6
_EVER = 2**62


def run(journey: Journey, seed: int = 0, draws: int = 1000) -> list[Result]:
    """The network alone, and the mean of its ranks and those of own frequency; beside own frequency and popularity."""
    started = perf_counter()
    baskets = events_of(journey)["baskets"]
    half_life, at = half_life_of(journey, baskets), micros(CUT_OFF)
    known = baskets.before(at)
    queries = np.unique(known.entities)
    scores, epochs = _learned(known, seed)
    own = own_frequency(known, queries, at, half_life * DAY)
    habits = own.scores.reshape(scores.shape)
    beside = {f"own frequency, half-life {half_life} days": own, "popularity (households)": popularity(known, queries)}
    relevant = relevant_in(journey, queries, CUT_OFF, AFTER)
    facts = {
        "cut-off": f"{CUT_OFF}T00:00, the data's clock",
        "relevant": f"categories bought before {AFTER}",
        "learned from": f"what the next basket had, {epochs} times all baskets before the cut-off; how many times, "
        f"baskets from {CHOSEN} on said",
        "network": f"a gated recurrent unit of {DIM} numbers that reads the newest {LENGTH} lines of baskets",
        "seed": str(seed),
    }
    seconds = perf_counter() - started
    contenders = {
        "by a sequence": {"recurrent network": _scored(queries, scores)},
        "by a sequence and habits": {
            "recurrent network and own frequency": _scored(queries, _ranks(scores) + _ranks(habits))
        },
    }
    results = []
    for name, model in contenders.items():
        rankings = {key: Ranking.of(each, relevant) for key, each in {**model, **beside}.items()}
        evaluation = of_rankings(rankings, next(iter(rankings.values())).queries, K, draws, seed)
        question = "Which categories will a household buy next month?"
        title = f"next month's categories, {name}"
        results.append(Result(title, question, evaluation, facts, None, journey.fingerprint, seconds=seconds / 2))
    return results


def _learned(known: Habits, seed: int) -> tuple[Array, int]:
    """[households, categories] what speaks for each category in the next basket, and how many epochs were enough."""
    order = np.lexsort((known.item, known.instants, known.entities))
    _, entity = np.unique(known.entities[order], return_inverse=True)
    events = Events(entity.astype(np.int64), known.instants[order], (), "")
    rows = (known.item[order] + FIRST)[:, None]
    reads = Reads(rows, (known.items + FIRST,), LENGTH, DIM, "gru")
    follows = following(events, rows[:, 0])
    chosen = micros(CHOSEN)
    early, late = follows.between(-_EVER, chosen), follows.between(chosen, _EVER)
    epochs = learn(events, reads, early, late, EPOCHS, seed).epochs
    arrays = learn(events, reads, follows, None, epochs, seed).arrays
    words = (tuple(map(str, range(known.items))),)
    used = encoder(Content(kind="gru", columns=("category",), words=words, length=LENGTH, dim=DIM), arrays)
    last = np.append(np.flatnonzero(np.diff(events.entity)), len(events) - 1)
    states = used.states(*used.read(rows, events.time, newest(events, last, LENGTH)))
    return used.network.scores(states)[:, 1:], epochs


def _ranks(scores: Array) -> Array:
    """Places from the last one on; of equal scores the first category ranks higher."""
    order = np.argsort(-scores, axis=1, kind="stable")
    found = np.empty(scores.shape)
    np.put_along_axis(found, order, -np.arange(scores.shape[1], dtype=np.float64)[None, :], axis=1)
    return found


def _scored(queries: Ids, scores: Array) -> Scored:
    items = scores.shape[1]
    return Scored(np.repeat(queries, items), np.tile(np.arange(items), len(queries)), scores.reshape(-1))

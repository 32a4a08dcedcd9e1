"""What a household buys in the next month: a ranking of categories at the cut-off.

Relevant is what is bought at least once in the month after. An example is a household and a category it has ever
bought, at the first of a month; the model learns from the examples of a month earlier, whose labels end at the cut-off.
What a household never bought follows by popularity, as it does in the baselines.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from time import perf_counter

import numpy as np

from limner.benchmarks.proof.journey import CUT_OFF, Journey, micros
from limner.benchmarks.proof.pairs import Pairs, pairs_at
from limner.benchmarks.proof.result import Result
from limner.workers.evaluation.evaluate import of_rankings
from limner.workers.evaluation.habits import Events, own_frequency, popularity
from limner.workers.evaluation.ranking import Ids, Ranking, Relevant, Scored
from limner.workers.evaluation.weighted import Array

DAY = 86_400_000_000
K = 10
HALF_LIVES = (15, 30, 60, 120, 240)  # days: which one is the baseline's is chosen a month earlier
CHOSEN = date(2017, 11, 1)
AFTER = date(2018, 1, 1)

_MONTH = "SELECT DISTINCT h, i FROM bought WHERE t >= $q AND t < $after ORDER BY h, i"


def run(journey: Journey, seed: int = 0, draws: int = 1000) -> list[Result]:
    """The model beside own frequency in three forms and popularity in two, at the cut-off."""
    started = perf_counter()
    events = events_of(journey)
    half_life = half_life_of(journey, events["baskets"])
    pairs = pairs_at(journey, CUT_OFF, seed)
    queries = np.unique(pairs.households)
    relevant = relevant_in(journey, queries, CUT_OFF, AFTER)
    scores = _learned(journey, pairs, seed)
    month = events["baskets"].before(micros(CUT_OFF))
    recent = month.instants >= micros(CHOSEN)
    last = Events(month.entities[recent], month.item[recent], month.instants[recent], month.items)
    at = micros(CUT_OFF)
    candidates = {
        "gradient boosting and a line over habits": _filled(month, queries, pairs, scores),
        f"own frequency, half-life {half_life} days": own_frequency(month, queries, at, half_life * DAY),
        "own frequency (baskets)": own_frequency(month, queries, at),
        "own frequency (lines of receipts)": own_frequency(events["lines"].before(at), queries, at),
        "popularity (households)": popularity(month, queries),
        "popularity (households, last month)": popularity(last, queries),
    }
    rankings = {name: Ranking.of(each, relevant) for name, each in candidates.items()}
    measured = next(iter(rankings.values())).queries
    evaluation = of_rankings(rankings, measured, K, draws, seed)
    facts = {
        "cut-off": f"{CUT_OFF}T00:00, the data's clock",
        "relevant": f"categories bought before {AFTER}",
        "learned from": f"households and the categories they had bought, at {CHOSEN}, labels of November",
        "chosen": f"the baseline's half-life at {CHOSEN}, of {', '.join(map(str, HALF_LIVES))} days",
        "measured": f"{len(measured):,} households that had bought before and bought in the month; "
        f"{len(journey.categories)} categories",
        "seed": str(seed),
    }
    question = "Which categories will a household buy next month?"
    return [
        Result(
            "next month's categories",
            question,
            evaluation,
            facts,
            None,
            journey.fingerprint,
            seconds=perf_counter() - started,
        )
    ]


def events_of(journey: Journey) -> Mapping[str, Events]:
    """Of each household's categories, one event a basket, and one a line of its receipt."""
    found = {}
    for name, query in (
        ("baskets", "SELECT h, i, t FROM bought"),
        ("lines", "SELECT h, i, t FROM lines JOIN categories USING (category)"),
    ):
        rows = journey.columns(query)
        instants = rows["t"].astype("datetime64[us]").astype(np.int64)
        found[name] = Events(rows["h"].astype(np.int64), rows["i"].astype(np.int64), instants, len(journey.categories))
    return found


def half_life_of(journey: Journey, baskets: Events) -> int:
    """The half-life (days) with which own frequency ranked best what was bought a month earlier."""
    return max(HALF_LIVES, key=lambda days: _ndcg(journey, baskets, CHOSEN, CUT_OFF, days))


def _ndcg(journey: Journey, events: Events, day: date, after: date, days: int) -> float:
    """NDCG of own frequency with a half-life at an earlier instant."""
    known = events.before(micros(day))
    queries = np.unique(known.entities)
    scored = own_frequency(known, queries, micros(day), days * DAY)
    return float(Ranking.of(scored, relevant_in(journey, queries, day, after)).ndcg(K).mean())


def relevant_in(journey: Journey, queries: Ids, day: date, after: date) -> Relevant:
    """The categories that households bought from a day on, and before another one."""
    instants = {"q": datetime.combine(day, time()), "after": datetime.combine(after, time())}
    rows = journey.columns(_MONTH, instants)
    known = np.isin(rows["h"], queries)
    items = rows["i"][known].astype(np.int64)
    return Relevant(rows["h"][known].astype(np.int64), items, np.ones(len(items)))


def _learned(journey: Journey, asked: Pairs, seed: int) -> Array:
    """Scores of the pairs: the mean of two models' probabilities, both learned a month earlier."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = pairs_at(journey, CHOSEN, seed)
    came = relevant_in(journey, np.unique(known.households), CHOSEN, CUT_OFF)
    size = len(journey.categories)
    labels = np.isin(known.households * size + known.items, came.queries * size + came.items)
    active = np.isin(known.households, came.queries)  # of who bought nothing, nothing is learned about order
    trees = HistGradientBoostingClassifier(
        max_iter=100,
        learning_rate=0.1,
        max_leaf_nodes=15,
        min_samples_leaf=100,
        early_stopping=False,
        random_state=seed,
    )
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    logs = [np.log1p(np.maximum(each.features, 0)) for each in (known, asked)]
    trees.fit(known.features[active], labels[active])
    line.fit(logs[0][active], labels[active])
    found = trees.predict_proba(asked.features)[:, 1] + line.predict_proba(logs[1])[:, 1]
    return np.asarray(found / 2)


def _filled(events: Events, queries: Ids, pairs: Pairs, scores: Array) -> Scored:
    """Scored pairs, and below them by popularity what a household never bought."""
    filled = own_frequency(events, queries, int(events.instants.max()) + 1)
    place = np.searchsorted(queries, pairs.households) * events.items + pairs.items
    found = filled.scores.copy()
    found[place] = scores
    return Scored(filled.queries, filled.items, found)

"""Users who write reviews, some labelled, of words that say how they feel and what they are interested in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.columns import check
from limner.language.durations import parse_instant
from limner.language.repo import Specs, load_texts
from limner.workers.context import RunContext
from limner.workers.models.fitting import Fitted, fit
from limner.workers.sources.describe import describe
from limner.workers.text.encode import encode_with
from tests.workers.models import world

DAY = world.DAY
FIRST = parse_instant("2026-01-01")
MOODS = ("negative", "positive")
WORDS = {
    "negative": ["awful", "broken", "slow", "refund", "worse", "dirty", "cheap"],
    "positive": ["lovely", "perfect", "fast", "recommend", "better", "clean", "great"],
}
TAGS = {
    "fashion": ["dress", "shoes", "jacket", "scarf", "jeans", "coat"],
    "baby": ["stroller", "diapers", "crib", "bottle", "toddler", "pacifier"],
    "garden": ["seeds", "shovel", "roses", "soil", "fence", "lawn"],
}
PLAIN = ["the", "it", "was", "and", "with", "for", "my", "a", "of", "this", "one", "they", "came", "today"]
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: reviews
path: reviews/*.parquet
entity: user
event_timestamp: at
created_timestamp: written
---
encoder: counts
hashing: {features: 128}
---
model: mood
classifier:
  label: {source: reviews, text: "{body}", column: mood}
  classes: {bad: negative, good: positive}
  METHOD
cut_off: 2026-02-01
refit: 28d
---
model: likes
interests:
  encoder: counts
  texts: {source: reviews, text: "{body}"}
  tags:
    fashion: {about: "dress shoes jacket scarf jeans coat"}
    baby: {about: "stroller diapers crib bottle toddler pacifier"}
    garden: {about: "seeds shovel roses soil fence lawn"}
cut_off: 2026-02-01
---
feature_view: voice
entity: user
source: reviews
every: 1d
features:
  mood: {classify: "{body}", model: mood, over: [14d, 60d]}
  recent: {classify: "{body}", model: mood, as: vector, where: stars > 1, pool: {mean: {half_life: 7d, weight: stars}}}
  likes: {interests: "{body}", model: likes, over: 60d}
  texts: {count: body, over: 60d}
"""
METHODS = {
    "head": "encoder: counts",
    "tfidf": "method: tfidf",
    "textcnn": "method: textcnn",
}


@dataclass(frozen=True)
class Review:
    """A row of the source; instants in µs. `tag` and `feels` are the truth, `mood` what the row says of it."""

    user: int
    at: int
    written: int
    body: str
    mood: str | None
    stars: int
    tag: str
    feels: str


def reviews(seed: int = 0, count: int = 500, days: int = 100, noise: float = 0.1) -> list[Review]:
    """Each user likes one tag most; some labels are wrong or missing, some texts short and often said."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        user = int(random.integers(1, 16))
        feels = MOODS[int(random.random() < 0.6)]
        tags = list(TAGS)
        tag = tags[user % 3] if random.random() < 0.8 else tags[int(random.integers(0, 3))]
        body = [*random.choice(WORDS[feels], 2), *random.choice(TAGS[tag], 2), *random.choice(PLAIN, 4)]
        text = " ".join(random.permutation(body)) if random.random() > 0.15 else WORDS[feels][0]
        at = FIRST + int(random.random() * days * DAY)
        written = at + (int(random.integers(0, 3 * DAY)) if random.random() < 0.3 else 0)
        mood = MOODS[1 - MOODS.index(feels)] if random.random() < noise else feels
        stars = int(random.integers(1, 6))
        found.append(Review(user, at, written, text, mood if random.random() > 0.1 else None, stars, tag, feels))
    return sorted(found, key=lambda each: (each.at, each.user))


def write(root: Path, rows: Sequence[Review], name: str = "a") -> None:
    """Write a file of the source."""
    (root / "reviews").mkdir(parents=True, exist_ok=True)
    time = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "user_id": pa.array([row.user for row in rows], pa.int64()),
            "at": pa.array([row.at for row in rows], pa.int64()).cast(time),
            "written": pa.array([row.written for row in rows], pa.int64()).cast(time),
            "body": pa.array([row.body for row in rows], pa.string()),
            "mood": pa.array([row.mood for row in rows], pa.string()),
            "stars": pa.array([row.stars for row in rows], pa.int64()),
            "topic": pa.array([row.tag if " " in row.body else None for row in rows], pa.string()),
        }
    )
    pq.write_table(table, root / "reviews" / f"{name}.parquet")


def text(method: str = "tfidf", spec: str = SPECS) -> str:
    """The specs, for a method of the classifier."""
    return spec.replace("METHOD", METHODS[method])


def specs(root: Path, spec: str) -> Specs:
    """The specs, held against the files below `root`."""
    found = load_texts({"specs.yaml": spec})
    check(found, {name: describe(source, root) for name, source in found.sources.items()})
    return found


def context() -> RunContext:
    """A run in this process that remembers nothing, and encodes without a server."""
    return replace(world.context(), encode_with=partial(encode_with, cast("Any", None)))


def fitted(root: Path, found: Specs, cut_off: int, name: str = "mood", *, allow: bool = True) -> Fitted:
    """Fit one version, however good it is."""
    return fit(found, name, cut_off, root, root / "data", context(), allow_suspicious=allow)

"""What a request reads, worked out before it is read: short reads need neither a thread nor a task."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

import orjson

from limner.feature_repo.online_plans import Plan, Shape
from limner.serving import feast_answers, profiles
from limner.serving.asked import ProfilesAsked
from limner.serving.feast_answers import Columns
from limner.serving.messages import HttpError, Reply, Scope, header, is_json, parsed
from limner.serving.served import Served
from limner.serving.settings import Limits

FEW = 128  # keys that are read on the event loop: a thread would cost more than the read


@dataclass(frozen=True)
class Read:
    """A read of one state. `rows`: the keys that are looked up, or more where it does more than look up."""

    served: Served
    rows: int
    answer: Callable[[], Reply]

    @property
    def short(self) -> bool:
        """Whether it takes less than a thread would cost."""
        return self.served.local and self.rows <= FEW


def profile(served: Served, scope: Scope) -> Read:
    """`GET /profiles/{name}/{key}`. HttpError for a path or query that cannot be read."""
    raw = scope["raw_path"].split(b"?")[0].decode("ascii", "replace").split("/")
    if len(raw) != 4 or not raw[2] or not raw[3]:
        raise HttpError(404, "a profile is at /profiles/{name}/{key}: percent-encode what is in the key")
    try:
        name, key = (unquote(part, errors="strict") for part in raw[2:])
    except UnicodeDecodeError:
        raise HttpError(400, "the path is no UTF-8") from None
    features, arrow = _features(scope["query_string"]), profiles.wants_arrow(header(scope, b"accept"))
    return Read(served, 1, lambda: profiles.one(served, name, key, features, arrow=arrow))


def many(served: Served, scope: Scope, body: bytes, limits: Limits) -> Read:
    """`POST /profiles`. HttpError for a body that is no such request."""
    arrow = profiles.wants_arrow(header(scope, b"accept"))
    asked = ProfilesAsked.of(parsed(scope, body), limits)
    rows = len(asked.keys) if asked.request is None else FEW + 1
    return Read(served, rows, lambda: profiles.many(served, asked, arrow=arrow))


def of_feast(scope: Scope, body: bytes, limits: Limits) -> tuple[Shape, Columns] | None:
    """`POST /get-online-features`; None where Feast has to say what is wrong. HttpError 413 for too many entities."""
    told = None
    if is_json(scope):
        try:
            told = orjson.loads(body)
        except ValueError:
            return None
    rows = feast_answers.rows_of(told)
    if rows > limits.keys:
        raise HttpError(413, f"{rows:,} entities: ask for at most {limits.keys:,} at a time")
    return feast_answers.shape_of(told)


def planned(served: Served, plan: Plan | None, shape: Shape, entities: Columns) -> Read | None:
    """Feast's request by its plan; None where Feast has to answer."""
    if plan is None or not feast_answers.fits(plan, entities) or not served.database.exists():
        return None
    rows = len(next(iter(entities.values())))

    def answer() -> Reply:
        found, missing = served.database.read(lambda snapshot: feast_answers.answer(plan, entities, snapshot))
        return Reply(found, lookups=(shape.service or "features", rows * len(plan.views), missing))

    return Read(served, rows, answer)


def _features(query: bytes) -> list[str] | None:
    """`?features=a,b`. HttpError 422 for anything else in a query."""
    if not query:
        return None
    try:
        found = parse_qs(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise HttpError(400, "the query cannot be read") from None
    if list(found) != ["features"] or len(found["features"]) > 1:
        raise HttpError(422, "the query is `features=a,b`, or there is none")
    names = found["features"][0].split(",")
    if not all(names) or len(set(names)) < len(names):
        raise HttpError(422, "`features` lists names with commas between, each once")
    return names

"""Whether a worker can answer, and what its answers are made of: gauges for Prometheus."""

import time
from collections.abc import Mapping

import orjson

from limner.language.errors import LimnerError
from limner.serving.messages import Reply
from limner.serving.metrics import label
from limner.serving.served import Holder, Served
from limner.workers.encoder.transport import TransportError

MICROS = 1_000_000
Gauge = tuple[str, str, Mapping[str, float]]


def ready(holder: Holder) -> Reply:
    """200 where values can be read, 503 with what is wrong where they cannot."""
    try:
        served = holder.now
        served.database.check()
        views = served.database.read(lambda snapshot: len(snapshot.served()))
    except LimnerError as error:
        return Reply(orjson.dumps({"status": "not ready", "error": str(error)}), 503)
    state = {"status": "ready", "views": views}
    if holder.problem is not None:
        state["warning"] = f"what changed last cannot be read: {holder.problem}"
    return Reply(orjson.dumps(state))


def gauges(holder: Holder) -> list[Gauge]:
    """How old the values of each view are, and how the encoders' queues stand; what cannot be known is left out."""
    try:
        served = holder.now
        found = served.database.read(lambda snapshot: {v: g.as_of for v, g in snapshot.served().items()})
    except LimnerError:
        return [("limner_up", "Whether values can be read.", {"": 0})]
    now = time.time()
    as_of = {label(view=view): micros / MICROS for view, micros in found.items() if micros is not None}
    return [
        ("limner_up", "Whether values can be read.", {"": 1}),
        ("limner_view_as_of_seconds", "Up to when a view was materialized, in seconds since 1970.", as_of),
        (
            "limner_view_freshness_seconds",
            "How long ago that was.",
            {view: round(now - seconds, 3) for view, seconds in as_of.items()},
        ),
        *_queues(served),
    ]


def _queues(served: Served) -> list[Gauge]:
    up: dict[str, float] = {}
    requests: dict[str, float] = {}
    waited: dict[str, float] = {}
    try:
        transports = served.encoders
    except LimnerError:
        return []
    for transport in transports:
        try:
            queues = transport.queues()
        except TransportError:
            up[label(triton=transport.url)] = 0
            continue
        up[label(triton=transport.url)] = 1
        for model, (count, seconds) in queues.items():
            where = label(triton=transport.url, model=model)
            requests[where], waited[where] = count, seconds
    if not up:
        return []
    return [
        ("limner_encoder_up", "Whether a Triton server answers.", up),
        ("limner_encoder_requests_total", "Requests that have left an encoder's queue.", requests),
        ("limner_encoder_queue_seconds_total", "How long they waited in it, together.", waited),
    ]

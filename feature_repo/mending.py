"""Runs of Feast's own command line tell of what they mend, too: as warnings, since nobody else listens there."""

import logging
from typing import Any

from limner.feature_repo.online_sink import Sink
from limner.workers import report
from limner.workers.history.manifest import History

_LOG = logging.getLogger("limner")


def mend_online(sink: Sink, history: History, begun: int, reporter: report.Reporter) -> dict[str, Any]:
    """Put online values right; what the ledger keeps of it. `begun` (µs UTC): when the run began."""
    found = sink.mend(history, begun)
    if not found.none:
        reporter(report.OnlineMended(sink.plan.name, found))
    return {"online_checked": found.to_json()}


def only_warnings(event: report.Event) -> None:
    """A reporter for where no other is."""
    if isinstance(event, report.StreamMended | report.OnlineMended):
        _LOG.warning("%s", event.sentence)

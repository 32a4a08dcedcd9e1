"""What is pushed through Feast goes to the stream worker, and what became of it comes back."""

import warnings
from collections.abc import Mapping

import pandas as pd
from feast import FeatureView, RepoConfig
from feast.errors import FeastError

from limner.feature_repo.errors import FeastFacingError
from limner.feature_repo.events_view import EVENTS_TAG
from limner.feature_repo.project import Project
from limner.feature_repo.push_rows import rows_of
from limner.language.errors import LimnerError, UnavailableError
from limner.workers.stream.inbox import push

_TOLD = 20  # events that an error tells of


class PushError(FeastFacingError, FeastError):
    """Events were refused, or are not taken yet. `feast serve` answers with `status`."""

    status = 422

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    def __str__(self) -> str:
        return str(getattr(self, "__overridden_message__", None) or self.message)  # Feast makes a client's like that

    def http_status_code(self) -> int:
        """422: what was pushed is wrong; 503: no worker has taken it so far."""
        return self.status


def push_events(config: RepoConfig, view: FeatureView, frame: pd.DataFrame) -> None:
    """Have a stream worker take rows as events of the source that a receiver stands for; returns when they are online.

    Raises PushError: it names the events that were refused (the others are taken), or says that none is taken yet.
    Warns of events that a view puts into quarantine.
    """
    source = view.tags[EVENTS_TAG]
    try:
        bodies = rows_of(frame)
        answer = push(Project.configured(config).settings.data, source, bodies)
    except LimnerError as error:
        raise PushError(str(error), 503 if isinstance(error, UnavailableError) else 422) from error
    if answer.quarantined:
        reasons = {place: "; ".join(each) for place, each in answer.quarantined.items()}
        warnings.warn(f"taken, and put into quarantine: {_listed(reasons)}", stacklevel=4)
    if answer.refused:
        raise PushError(f"{len(answer.refused)} of {len(bodies)} events were refused: {_listed(answer.refused)}", 422)


def _listed(reasons: Mapping[int, str]) -> str:
    told = [f"row {place} {reason}" for place, reason in sorted(reasons.items())]
    more = [f"and {len(told) - _TOLD} more"] if len(told) > _TOLD else []
    return "; ".join([*told[:_TOLD], *more])

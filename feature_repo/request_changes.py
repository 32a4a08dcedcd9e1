"""What a plan says about request views: they have no history, so a change holds from the moment it is applied."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from limner.feature_repo.differences import Reason, differences
from limner.feature_repo.on_demand import DOCUMENT_TAG, IDENTITY_TAG
from limner.language.canonical import canonical
from limner.language.fingerprint import NOT_VALUES
from limner.language.models import RequestView

Tags = Mapping[str, str]
_OTHER_OPERANDS = Reason("the types of what it reads, or the files of an encoder, are others")


@dataclass(frozen=True, order=True)
class RequestChange:
    """What becomes of one request view. `identity` (sha256) names all that decides its values, stored ones aside."""

    request_view: str
    action: Literal["new", "changed", "dropped", "unchanged"]
    reasons: tuple[Reason, ...] = ()
    identity: str | None = None

    def __str__(self) -> str:
        return f"{self.request_view}: {self.action}" + (
            f" ({'; '.join(map(str, self.reasons))})" if self.reasons else ""
        )


def request_changes(before: Mapping[str, Tags], after: Mapping[str, Tags]) -> tuple[RequestChange, ...]:
    """Compare request views by the tags they have in the registry and would have there."""
    return tuple(_change(name, before.get(name), after.get(name)) for name in sorted({*before, *after}))


def _change(name: str, before: Tags | None, after: Tags | None) -> RequestChange:
    if after is None:
        return RequestChange(name, "dropped", (Reason("its values are no longer served"),))
    identity = after[IDENTITY_TAG]
    if before is None:
        return RequestChange(name, "new", (), identity)
    reasons = differences(before[DOCUMENT_TAG], after[DOCUMENT_TAG], name, _declared)
    if before[IDENTITY_TAG] != identity and all(reason.effect != "values change" for reason in reasons):
        reasons += (_OTHER_OPERANDS,)
    return RequestChange(name, "changed" if reasons else "unchanged", reasons, identity)


def _declared(documents: str) -> str:
    view = RequestView.model_validate(json.loads(documents)[0])
    return json.dumps(canonical(view, without=NOT_VALUES))

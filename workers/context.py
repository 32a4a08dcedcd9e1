"""What a run is handed: where tasks go, who encodes texts, who is told, who remembers."""

from collections.abc import Callable
from dataclasses import dataclass

from limner.workers.cluster import Workers
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.ledger import Ledger
from limner.workers.report import Reporter
from limner.workers.text.encode import Encode
from limner.workers.text.models import AnyEncoder


@dataclass(frozen=True)
class RunContext:
    """The collaborators of one run.

    `encode_with` makes, for an encoder, the function that encodes a batch of texts. `serve` has a new model loaded by
    the server and says what became of it; LimnerError where the server refuses it.
    """

    workers: Workers
    encode_with: Callable[[AnyEncoder], Encode]
    reporter: Reporter
    ledger: Ledger
    run_id: str
    shards: int
    memory_limit: str = "1GB"
    tuning_workers: int = 1
    serve: Callable[[EncoderModel], str] | None = None

"""Texts to vectors through Triton: bounded in flight, always with a deadline, retried where that can help.

Every text ends with a usable vector or with a reason; a failure of the server is an error, never a reason.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

from limner.workers.encoder.balance import connect, servers
from limner.workers.encoder.errors import EncoderUnavailable
from limner.workers.encoder.patience import Patience
from limner.workers.encoder.requests import cut_requests
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.encoder.settings import TritonSettings
from limner.workers.encoder.transport import Fault, Floats, Transport, TransportError

PROBE = b"a text that any encoder can encode"
CHECK_SECONDS = 5.0
# Of the threads that meet a dead model one mends it.
MENDING = threading.Lock()


@dataclass(frozen=True)
class Encoded:
    """`vectors` float32 [n, dim]; the rows of `failures` (row -> reason) are NaN there: never keep them."""

    vectors: Floats
    failures: dict[int, str]


class TritonEncoder:
    """One encoder served by Triton. It may be pickled: each process opens its own connections when it calls."""

    def __init__(self, settings: TritonSettings, model: EncoderModel, transport: Transport | None = None) -> None:
        self.settings = settings
        self.model = model
        self.version = model.version
        self._transport = transport

    def __getstate__(self) -> dict[str, Any]:
        """Leave the connections behind."""
        return {**self.__dict__, "_transport": None}

    @property
    def transport(self) -> Transport:
        """The connections to Triton."""
        if self._transport is None:
            self._transport = connect(self.settings)
        return self._transport

    def check(self) -> None:
        """Compare fingerprints and make a real inference; raises EncoderUnavailable that says what to do.

        Of several servers one must answer, and each that answers must serve this encoder.
        """
        unreachable = answering = None
        for server in servers(self.transport):
            try:
                self._check(server)
                answering = server
            except TransportError as error:
                error.at = server
                if error.fault not in (Fault.UNAVAILABLE, Fault.TIMEOUT):
                    raise self._unavailable(error) from error
                unreachable = error
        if unreachable is not None and answering is None:
            raise self._unavailable(unreachable) from unreachable

    def _check(self, server: Transport) -> None:
        try:
            self.require_fingerprint(server)
        except TransportError as error:
            if error.fault is not Fault.MISSING or not (self.model.on_demand and self.settings.mend):
                raise
            server.load(self.model.name)
            self.require_fingerprint(server)
        try:
            self._probe(server)
        except TransportError as error:
            if error.fault is not Fault.DEAD or not self.settings.mend:
                raise
            self._mend(server)
            self._probe(server)

    def device(self) -> str:
        """Where the server runs the encoder: gpu, cpu, or "" where it does not say."""
        try:
            return self.transport.parameters(self.model.name).get("DEVICE", "")
        except TransportError:
            return ""

    def require_fingerprint(self, server: Transport) -> None:
        """Raise EncoderUnavailable if a server serves this encoder with other weights or settings."""
        served = server.parameters(self.model.name).get("FINGERPRINT", "")
        if served != self.model.fingerprint:
            raise EncoderUnavailable(
                f"{self._where(server)} serves encoder {self.model.name!r} as "
                f"{served[:12] or 'unknown'}, the spec asks for {self.model.fingerprint[:12]}: "
                f"run `limner triton up` to serve what the spec says"
            )

    def encode(self, texts: Sequence[str], on_rows: Callable[[int], None] | None = None) -> Encoded:
        """Encode texts in the order given; `on_rows` hears how many more are done, from several threads.

        Raises EncoderUnavailable when patience with the server ends; nothing is returned then.
        """
        vectors = np.full((len(texts), self.model.dim), np.nan, np.float32)
        failures: dict[int, str] = {}
        sendable: list[tuple[int, bytes]] = []
        for row, text in enumerate(texts):
            try:
                sendable.append((row, text.encode("utf-8")))
            except UnicodeEncodeError as error:
                failures[row] = f"not valid Unicode: {error.reason} at character {error.start}"
        settings = self.settings
        cuts = cut_requests(
            [len(text) for _, text in sendable],
            max(1, settings.rows_per_request // self.model.split_most),
            settings.chars_per_request,
            settings.in_flight,
        )
        stop = threading.Event()

        def send(cut: range) -> None:
            rows = [sendable[place][0] for place in cut]
            answers = self._encode_request([sendable[place][1] for place in cut], stop)
            for row, answer in zip(rows, answers, strict=True):
                if isinstance(answer, str):
                    failures[row] = answer
                else:
                    vectors[row] = answer
            if on_rows is not None:
                on_rows(len(rows))

        pool = ThreadPoolExecutor(settings.in_flight, thread_name_prefix="triton")
        try:
            done, _ = wait([pool.submit(send, cut) for cut in cuts], return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            # After a failure or Ctrl-C: waiting requests are dropped, pauses end, calls under way are not
            # awaited.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        return Encoded(vectors, dict(sorted(failures.items())))

    def _encode_request(self, texts: list[bytes], stop: threading.Event) -> list[Floats | str]:
        """Return a vector or a reason a text; a request that fails for its content is halved to find it."""
        try:
            vectors = self._send_patiently(texts, stop)
        except TransportError as error:
            if len(texts) > 1:
                middle = len(texts) // 2
                return self._encode_request(texts[:middle], stop) + self._encode_request(texts[middle:], stop)
            self._require_health(error)
            return [str(error)]
        if vectors.shape != (len(texts), self.model.dim):
            raise EncoderUnavailable(
                f"Triton at {self.settings.url} answered encoder {self.model.name!r} with shape "
                f"{vectors.shape}, expected {(len(texts), self.model.dim)}: run `limner triton up`"
            )
        usable = np.asarray(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
        if not usable.all():
            self._require_health(TransportError(Fault.ENGINE, "the vectors are not finite"))
        reason = "the encoder gave no usable vector (not finite, or all zero)"
        return [vector if good else reason for vector, good in zip(vectors, usable, strict=True)]

    def _send_patiently(self, texts: list[bytes], stop: threading.Event) -> Floats:
        """Send one request until it succeeds; raises TransportError only where its content is to blame."""
        patience = Patience(self.settings.attempts, stop)
        blamed = 0
        while True:
            try:
                return self.transport.infer(self.model.name, self.version, texts, self.settings.deadline_s)
            except TransportError as error:
                if error.fault is Fault.BUG:
                    raise RuntimeError(
                        f"Triton refused a request of {len(texts)} texts as malformed: {error}"
                    ) from error
                if error.fault is Fault.BAD_TEXT:
                    raise
                if error.fault in (Fault.ENGINE, Fault.DEAD):
                    # Once may be chance; a request that kills or fails the model again is suspected of its
                    # content.
                    blamed += 1
                    if blamed > 1:
                        raise
                if error.fault is Fault.MISSING:
                    self._require_no_other_version(error.at or self.transport)
                if not patience.pause():
                    raise self._unavailable(error) from error
                if error.fault is Fault.DEAD:
                    self._mend_if_dead(error)

    def _require_no_other_version(self, server: Transport) -> None:
        """A model being loaded is missing for a while; waiting is vain only if another took its place."""
        try:
            self.require_fingerprint(server)
        except TransportError:
            return

    def _mend_if_dead(self, cause: TransportError) -> None:
        """Load a dead model again, unless another process has done so already."""
        if not self.settings.mend:
            raise self._unavailable(cause) from cause
        server = cause.at or self.transport
        with MENDING:
            try:
                self._probe(server)
            except TransportError as error:
                if error.fault is not Fault.DEAD:
                    return
                try:
                    self._mend(server)
                except TransportError as failed:
                    raise self._unavailable(failed) from failed

    def _require_health(self, error: TransportError) -> None:
        """Raise EncoderUnavailable unless a plain text is encoded well: only then is the text at fault."""
        if error.fault is Fault.BAD_TEXT:
            return
        if error.fault is Fault.DEAD:
            self._mend_if_dead(error)
        try:
            vectors = self._probe(self.transport)
        except TransportError as failed:
            raise self._unavailable(failed) from failed
        if not (np.isfinite(vectors).all() and vectors.any()):
            raise self._unavailable(error) from error

    def _probe(self, server: Transport) -> Floats:
        return server.infer(self.model.name, self.version, [PROBE], CHECK_SECONDS)

    def _mend(self, server: Transport) -> None:
        server.unload(self.model.name)
        server.load(self.model.name)

    def _where(self, server: Transport | None) -> str:
        several = server is not None and len(servers(self.transport)) > 1
        return f"Triton at {server.url if server is not None and several else self.settings.url}"

    def _unavailable(self, error: TransportError) -> EncoderUnavailable:
        where = self._where(error.at)
        if error.fault is Fault.MISSING:
            return EncoderUnavailable(
                f"{where} does not serve encoder {self.model.name!r} ({error}): run `limner triton up`"
            )
        if error.fault in (Fault.DEAD, Fault.ENGINE):
            return EncoderUnavailable(
                f"{where}: encoder {self.model.name!r} does not work ({error}): "
                f"run `limner triton up` to mend it, and see the server's log"
            )
        return EncoderUnavailable(f"{where} does not answer ({error}): start it with `limner triton up`")

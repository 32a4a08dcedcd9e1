"""Texts of requests to vectors, with the encoders of the project that the values belong to."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from limner.language.errors import UnavailableError
from limner.workers.request.program import TextEncoder

if TYPE_CHECKING:
    from limner.workers.text.encode import Encode


class TextEncoders:
    """Encodes with the encoders of one project; each is looked up when it is first needed.

    `repo` is the folder of feature_store.yaml; None where values are read without their project.
    """

    def __init__(self, repo: Path | None) -> None:
        self.repo = repo
        self._known: dict[str, Encode] = {}

    def __call__(self, encoder: TextEncoder, texts: Sequence[str]) -> list[npt.NDArray[np.float32] | None]:
        """Float32 vectors in the order of the texts, None for one that cannot be encoded.

        UnavailableError where the encoder cannot be used now, or its files are not those that were applied.
        """
        if encoder.fingerprint not in self._known:
            self._known[encoder.fingerprint] = self._find(encoder)
        done = self._known[encoder.fingerprint](texts)
        return [None if row in done.failures else vector for row, vector in enumerate(done.vectors)]

    def _find(self, encoder: TextEncoder) -> "Encode":
        from limner.language.closure import from_closure
        from limner.workers.settings import EngineSettings
        from limner.workers.text.encode import encode_with
        from limner.workers.text.models import encoder_model

        if self.repo is None:
            raise UnavailableError(
                f"encoding a text with {encoder.name!r} needs the project's folder: "
                "give it to limner.Store instead of the file of values, or run Feast there"
            )
        settings = EngineSettings.at(self.repo)
        model = encoder_model(from_closure(encoder.documents), encoder.name, self.repo.parent, settings.data)
        if model.fingerprint != encoder.fingerprint:
            raise UnavailableError(
                f"the files of encoder {encoder.name!r} are not those that were applied: run `limner apply`, "
                "then `limner materialize`"
            )
        return encode_with(settings.triton, model)

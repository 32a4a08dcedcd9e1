"""When an encoder learns: in the first run that reaches its instant."""

from dataclasses import replace
from pathlib import Path

from limner.language.term_encoders import Learning
from limner.workers.sources.request import PrepareRequest, RowText
from limner.workers.tasks import Workers
from limner.workers.text.fit import TEXT, Fitting, fit
from limner.workers.text.terms import TermsModel


def learned(model: TermsModel, request: PrepareRequest, data: Path, workers: Workers) -> bool:
    """Make the encoder learn, if it does and has not; False while its instant lies beyond the run.

    `request` is that of the run, for one of its views. Raises LimnerError as `fit` does.
    """
    if not isinstance(model.terms, Learning) or model.fitted is None:
        return True
    if model.terms.fit > request.until:
        return False
    if model.fitted.exists():
        return True
    stage = request.stage / f"fit-{model.name}"
    stage.mkdir()
    rows = replace(
        request,
        source=model.terms.source,
        join_keys=(),
        columns=(),
        texts={TEXT: RowText(model.terms.text)},
        measures={},
        lower=None,
        known_after=model.terms.fit,  # none is new: rows that are bad are counted where a view reads them
        until=model.terms.fit,
        total_order=False,
        shards=1,
        stage=stage,
    )
    fitting = Fitting(model.name, model.terms, rows, model.fitted, data / "embeddings" / model.fingerprint)
    for _ in workers.map(fit, [fitting]):
        pass
    return True

"""Encoders of either kind, as runs need them: models that Triton serves, and counts of terms."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from limner.language.features import Embed
from limner.language.outputs import Output
from limner.language.repo import Specs
from limner.language.windows import Since
from limner.workers.encoder.resolve import EncoderModel, resolve
from limner.workers.text.scorers import TextScorer
from limner.workers.text.terms import TermsModel, terms_model

Encoding = EncoderModel | TermsModel
AnyEncoder = Encoding | TextScorer


def encoder_model(specs: Specs, name: str, root: Path, data: Path) -> Encoding:
    """An encoder whose identity is known. LimnerError where the files of a model are not there."""
    encoder = specs.encoders[name]
    return resolve(encoder, root) if encoder.model is not None else terms_model(specs, name, data)


def since_fits(outputs: Sequence[Output], encoders: Mapping[str, AnyEncoder]) -> tuple[Output, ...]:
    """The outputs, where vectors of an encoder that learned as of an instant exist from that instant on."""
    return tuple(_since(output, encoders) for output in outputs)


def _since(output: Output, encoders: Mapping[str, AnyEncoder]) -> Output:
    model = encoders.get(output.feature.encoder) if isinstance(output.feature, Embed) else None
    fit = model.fit if isinstance(model, TermsModel) else None
    if fit is None or isinstance(output.window, Since):
        return output
    return replace(output, window=Since(output.window, fit))


def learned_from(specs: Specs, encoders: Mapping[str, AnyEncoder]) -> list[str]:
    """The sources that encoders learn from, with the sources these look up."""
    fitted = (specs.encoders[name].learning for name in encoders if name in specs.encoders)
    sources = [each.source for each in fitted if each is not None]
    return list(dict.fromkeys(each for name in sources for each in (name, *specs.sources[name].others)))

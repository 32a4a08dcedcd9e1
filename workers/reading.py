"""What a view needs of one source it reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from limner.language.features import Embed, FeatureBase, Scored, TextStatistic
from limner.language.outputs import Output
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.sources.request import RowMeasure, RowText
from limner.workers.text.models import AnyEncoder
from limner.workers.text.scorers import scorer_name

DIGEST = "__digest_"
MEASURE = "__measure_"
Encoders = Mapping[str, AnyEncoder]


@dataclass(frozen=True)
class Reading:
    """One source of a view: the cleaned columns its features read, and the texts they are written from.

    `texts`: text and encoder name by digest column; `measures`: what is measured, by the column of its numbers.
    `reach`: how far back features look, in µs, None where some looks back for ever. `order_matters`: whether some
    feature tells one of several tied rows from another.
    """

    source: str
    columns: tuple[str, ...]
    texts: Mapping[str, tuple[RowText, str]]
    measures: Mapping[str, RowMeasure]
    reach: int | None
    order_matters: bool


def readings(sources: Iterable[str], outputs: tuple[Output, ...], encoders: Encoders) -> tuple[Reading, ...]:
    """A reading a source, in the order of `sources`."""
    digest, measure = digests(outputs, encoders), measures(outputs, encoders)
    found = []
    for source in sources:
        of = [output for output in outputs if output.source == source]
        reaches = [window.reach for output in of for window in output.feature.looks(output.window)]
        found.append(
            Reading(
                source=source,
                columns=tuple(sorted({name for output in of for name in output.feature.columns()})),
                texts={
                    digest[output.name]: _text(feature, encoders)
                    for output in of
                    if _vectored(feature := output.feature)
                },
                measures={
                    measure[output.name]: _measure(feature, encoders)
                    for output in of
                    if isinstance(feature := output.feature, TextStatistic)
                },
                reach=None if None in reaches else max((each for each in reaches if each is not None), default=0),
                order_matters=any(output.feature.order_matters for output in of),
            )
        )
    return tuple(found)


def digests(outputs: tuple[Output, ...], encoders: Encoders) -> dict[str, str]:
    """Digest column of each embedding output; outputs of one source, text and encoder share a column."""
    names: dict[tuple[str, RowText, str], str] = {}
    return {
        output.name: names.setdefault((output.source, *_text(feature, encoders)), f"{DIGEST}{len(names)}")
        for output in outputs
        if _vectored(feature := output.feature)
    }


def measures(outputs: tuple[Output, ...], encoders: Encoders) -> dict[str, str]:
    """Column of the numbers that each text statistic pools; those of one source and one measure of a text share it."""
    names: dict[tuple[str, RowMeasure], str] = {}
    return {
        output.name: names.setdefault((output.source, _measure(feature, encoders)), f"{MEASURE}{len(names)}")
        for output in outputs
        if isinstance(feature := output.feature, TextStatistic)
    }


def _vectored(feature: FeatureBase) -> TypeGuard[Embed | Scored]:
    """Whether a feature is made of vectors of texts; before any version of its model speaks, none is."""
    return isinstance(feature, Embed) or (isinstance(feature, Scored) and bool(feature.pins))


def _text(feature: Embed | Scored, encoders: Encoders) -> tuple[RowText, str]:
    if isinstance(feature, Scored):
        # All versions of one that reads texts read the same: the newest stands for them.
        used = feature.encoder or scorer_name(feature.model, feature.pins[-1].version)
        return RowText(feature.text, encoders[used].prefix, tuple(sorted(feature.languages))), used
    prefix = encoders[feature.encoder].prefix if feature.prefix is None else feature.prefix
    return RowText(feature.embed, prefix, tuple(sorted(feature.languages))), feature.encoder


def _measure(feature: TextStatistic, encoders: Encoders) -> RowMeasure:
    text = RowText(feature.text, languages=tuple(sorted(feature.languages)))
    encoder = encoders[feature.encoder] if feature.encoder is not None else None
    tokenizer = encoder.folder if isinstance(encoder, EncoderModel) else None
    return RowMeasure(text, feature.measure, tokenizer)

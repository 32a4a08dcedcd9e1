"""All a worker must know about one view: pure data, made from specs and what was found in the sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from limner.language.columns import cleaned
from limner.language.features import Embed, TextStatistic, encoders_of
from limner.language.fingerprint import fingerprint
from limner.language.models import FeatureView, LogicalType
from limner.language.outputs import Output, local_zone, outputs
from limner.language.repo import Specs
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.sources.describe import describe
from limner.workers.sources.request import RowMeasure, RowText
from limner.workers.text.models import AnyEncoder, encoder_model, learned_from, since_fits

DIGEST = "__digest_"
MEASURE = "__measure_"


@dataclass(frozen=True)
class ViewPlan:
    """One feature view, ready to be computed. Picklable."""

    specs: Specs
    name: str
    raw: Mapping[str, Mapping[str, LogicalType]]  # columns as found, by source
    outputs: tuple[Output, ...]  # by name, as histories hold them: the order of the spec decides no byte
    encoders: Mapping[str, AnyEncoder]
    fingerprint: str
    root: Path  # paths in specs are relative to it
    data: Path  # where histories, embeddings and quarantined rows are

    @property
    def view(self) -> FeatureView:
        """The view's spec."""
        return self.specs.views[self.name]

    @property
    def join_keys(self) -> tuple[str, ...]:
        """The entity's join keys, by name: the order in which they are declared decides no value and no byte."""
        return tuple(sorted(self.specs.entities[self.view.entity].join_keys))

    @property
    def digests(self) -> dict[str, str]:
        """Digest column of each embedding output; outputs of one text and encoder share a column."""
        names: dict[tuple[RowText, str], str] = {}
        return {
            output.name: names.setdefault(self._text(feature), f"{DIGEST}{len(names)}")
            for output in self.outputs
            if isinstance(feature := output.feature, Embed)
        }

    @property
    def texts(self) -> dict[str, tuple[RowText, str]]:
        """Text and encoder name of each digest column."""
        digests = self.digests
        return {
            digests[output.name]: self._text(feature)
            for output in self.outputs
            if isinstance(feature := output.feature, Embed)
        }

    @property
    def measures(self) -> dict[str, str]:
        """Column of the numbers that each text statistic pools; outputs of one measure of one text share a column."""
        names: dict[RowMeasure, str] = {}
        return {
            output.name: names.setdefault(self._measure(feature), f"{MEASURE}{len(names)}")
            for output in self.outputs
            if isinstance(feature := output.feature, TextStatistic)
        }

    @property
    def measured(self) -> dict[str, RowMeasure]:
        """What is measured for each such column."""
        measures = self.measures
        return {
            measures[output.name]: self._measure(feature)
            for output in self.outputs
            if isinstance(feature := output.feature, TextStatistic)
        }

    def _text(self, feature: Embed) -> tuple[RowText, str]:
        prefix = self.encoders[feature.encoder].prefix if feature.prefix is None else feature.prefix
        return RowText(feature.embed, prefix, tuple(sorted(feature.languages))), feature.encoder

    def _measure(self, feature: TextStatistic) -> RowMeasure:
        text = RowText(feature.text, languages=tuple(sorted(feature.languages)))
        encoder = self.encoders[feature.encoder] if feature.encoder is not None else None
        tokenizer = encoder.folder if isinstance(encoder, EncoderModel) else None
        return RowMeasure(text, feature.measure, tokenizer)

    @property
    def columns(self) -> tuple[str, ...]:
        """Cleaned columns the features read, texts aside."""
        return tuple(sorted({name for feature in self.view.features.values() for name in feature.columns()}))

    @property
    def reach(self) -> int | None:
        """How far back features look, in µs; None where some feature looks back for ever."""
        reaches = [window.reach for output in self.outputs for window in output.feature.looks(output.window)]
        return None if None in reaches else max(reach for reach in reaches if reach is not None)

    @property
    def order_matters(self) -> bool:
        """Whether some feature tells one of several tied rows from another."""
        return any(feature.order_matters for feature in self.view.features.values())

    @property
    def folder(self) -> Path:
        """The folder of the view's histories."""
        return self.data / "history" / self.name


def plan_view(specs: Specs, name: str, root: Path, data: Path) -> ViewPlan:
    """Look at the sources and encoders of a view and plan it; LimnerError where one cannot be read."""
    view = specs.views[name]
    source = specs.sources[view.source]
    raw = {each: describe(specs.sources[each], root) for each in (view.source, *source.lookup)}
    encoders = {each: encoder_model(specs, each, root, data) for each in encoders_of(view.features.values())}
    raw |= {each: describe(specs.sources[each], root) for each in learned_from(specs, encoders) if each not in raw}
    zone = local_zone(specs, view)
    dims = {each: model.dim for each, model in encoders.items()}
    found = sorted(outputs(view, cleaned(specs, view.source, raw), dims, zone), key=lambda each: each.name)
    return ViewPlan(
        specs=specs,
        name=name,
        raw=raw,
        outputs=since_fits(found, encoders),
        encoders=encoders,
        fingerprint=fingerprint(specs, name, {e: m.fingerprint for e, m in encoders.items()}),
        root=root,
        data=data,
    )

"""All a worker must know about one view: pure data, made from specs and what was found in the sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from limner.language.columns import cleaned
from limner.language.features import Embed, First, Last, Latest
from limner.language.fingerprint import fingerprint
from limner.language.models import FeatureView, LogicalType
from limner.language.outputs import Output, outputs
from limner.language.repo import Specs
from limner.language.template import Template
from limner.workers.encoder.resolve import EncoderModel, resolve
from limner.workers.sources.describe import describe

DIGEST = "__digest_"


@dataclass(frozen=True)
class ViewPlan:
    """One feature view, ready to be computed. Picklable."""

    specs: Specs
    name: str
    raw: Mapping[str, Mapping[str, LogicalType]]  # columns as found, by source
    outputs: tuple[Output, ...]
    encoders: Mapping[str, EncoderModel]
    fingerprint: str
    root: Path  # paths in specs are relative to it
    data: Path  # where histories, embeddings and quarantined rows are

    @property
    def view(self) -> FeatureView:
        """The view's spec."""
        return self.specs.views[self.name]

    @property
    def join_keys(self) -> tuple[str, ...]:
        """The entity's join keys."""
        return tuple(self.specs.entities[self.view.entity].join_keys)

    @property
    def digests(self) -> dict[str, str]:
        """Digest column of each embedding output; outputs of one text and encoder share a column."""
        names: dict[tuple[Template, str], str] = {}
        return {
            output.name: names.setdefault((feature.embed, feature.encoder), f"{DIGEST}{len(names)}")
            for output in self.outputs
            if isinstance(feature := output.feature, Embed)
        }

    @property
    def texts(self) -> dict[str, tuple[Template, str]]:
        """Template and encoder name of each digest column."""
        digests = self.digests
        return {
            digests[output.name]: (feature.embed, feature.encoder)
            for output in self.outputs
            if isinstance(feature := output.feature, Embed)
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """Cleaned columns the features read, texts aside."""
        names: set[str] = set()
        for feature in self.view.features.values():
            if feature.column is not None:
                names.add(feature.column)
            if feature.where is not None:
                names.update(feature.where.columns)
            if isinstance(feature, Embed) and feature.pooling.weight is not None:
                names.add(feature.pooling.weight)
        return tuple(sorted(names))

    @property
    def reach(self) -> int | None:
        """The longest window in µs; None where some feature looks back for ever."""
        windows = [output.window for output in self.outputs]
        return None if None in windows else max(window for window in windows if window is not None)

    @property
    def order_matters(self) -> bool:
        """Whether some feature tells one of several tied rows from another."""
        return any(
            isinstance(f, First | Last | Latest) or (isinstance(f, Embed) and f.pooling.newest is not None)
            for f in self.view.features.values()
        )

    @property
    def folder(self) -> Path:
        """The folder of the view's histories."""
        return self.data / "history" / self.name


def plan_view(specs: Specs, name: str, root: Path, data: Path) -> ViewPlan:
    """Look at the sources and encoders of a view and plan it; LimnerError where one cannot be read."""
    view = specs.views[name]
    source = specs.sources[view.source]
    raw = {each: describe(specs.sources[each], root) for each in (view.source, *source.lookup)}
    wanted = {f.encoder for f in view.features.values() if isinstance(f, Embed)}
    encoders = {each: resolve(specs.encoders[each], root) for each in sorted(wanted)}
    return ViewPlan(
        specs=specs,
        name=name,
        raw=raw,
        outputs=outputs(view, cleaned(specs, view.source, raw), {e: m.dim for e, m in encoders.items()}),
        encoders=encoders,
        fingerprint=fingerprint(specs, name, {e: m.fingerprint for e, m in encoders.items()}),
        root=root,
        data=data,
    )

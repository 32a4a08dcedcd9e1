"""All a worker must know about one view: pure data, made from specs and what was found in the sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from limner.language.columns import cleaned
from limner.language.errors import LimnerError
from limner.language.features import encoders_of
from limner.language.fingerprint import fingerprint
from limner.language.members import encoders_below
from limner.language.models import FeatureView, Grid, LogicalType
from limner.language.outputs import Output, computed, local_zone, output_names
from limner.language.repo import Specs
from limner.workers.members import Member
from limner.workers.reading import Reading, digests, measures, readings
from limner.workers.sources.describe import describe
from limner.workers.text.models import AnyEncoder, encoder_model, learned_from, since_fits
from limner.workers.text.scorers import scorers

if TYPE_CHECKING:
    from limner.workers.derive.rows import Fits
    from limner.workers.windows.compute import Task


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
    hidden: tuple[Output, ...] = ()  # outputs that are computed but not written
    members: tuple[Member, ...] = ()  # the views it is made of, in place of sources

    @property
    def view(self) -> FeatureView:
        """The view's spec."""
        return self.specs.views[self.name]

    @property
    def computed(self) -> tuple[Output, ...]:
        """All outputs: those that are written, then those that are hidden."""
        return (*self.outputs, *self.hidden)

    @property
    def join_keys(self) -> tuple[str, ...]:
        """The entity's join keys, by name: the order in which they are declared decides no value and no byte."""
        return tuple(sorted(self.specs.entities[self.view.entity].join_keys))

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What the view needs of each source it reads."""
        return readings(self.view.reads, self.computed, self.encoders)

    @property
    def digests(self) -> dict[str, str]:
        """Digest column of each embedding output; outputs of one source, text and encoder share a column."""
        return digests(self.computed, self.encoders)

    @property
    def measures(self) -> dict[str, str]:
        """Column of the numbers that each text statistic pools; outputs of one measure of one text share a column."""
        return measures(self.computed, self.encoders)

    def task(
        self,
        start: int,
        end: int,
        *,
        base: bool = True,
        fits: "Fits | None" = None,
        keep: bool = False,
        grid: Grid | None = None,
    ) -> "Task":
        """What is computed of its rows over (start, end] (µs), on its own grid or a coarser one."""
        from limner.workers.windows.compute import Task  # a plan by itself computes nothing

        return Task(
            join_keys=self.join_keys,
            outputs=self.outputs,
            staged={**self.digests, **self.measures},
            grid=self.view.grid if grid is None else grid,
            start=start,
            end=end,
            base=base,
            hidden=self.hidden,
            fits={} if fits is None else fits,
            keep=keep,
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the view reads: sources, or the views whose histories it is made of."""
        return (*self.view.reads, *self.view.views)

    @property
    def folder(self) -> Path:
        """The folder of the view's histories."""
        return self.data / "history" / self.name


def plan_view(specs: Specs, name: str, root: Path, data: Path) -> ViewPlan:
    """Look at the sources and encoders of a view and plan it; LimnerError where one cannot be read."""
    view = specs.views[name]
    encoders: dict[str, AnyEncoder] = {
        each: encoder_model(specs, each, root, data) for each in encoders_of(view.features.values())
    }
    encoders |= scorers(view.features.values(), data, {name: each.prefix for name, each in encoders.items()})
    reads = (each for name in view.reads for each in (name, *specs.sources[name].others))
    wanted = dict.fromkeys((*reads, *learned_from(specs, encoders)))
    raw = {each: describe(specs.sources[each], root) for each in wanted}
    columns = {each: cleaned(specs, each, raw) for each in view.reads}
    dims = {each: model.dim for each, model in encoders.items()}
    plans = {each: plan_view(specs, each, root, data) for each in view.views}
    taken = {each: plan.outputs for each, plan in plans.items()}
    try:
        made = computed(view, columns, dims, local_zone(specs, view), taken)
        found = sorted(made, key=lambda each: each.name)
    except ValueError as error:
        raise LimnerError(f"feature view {name}: {error}") from error
    every, written = since_fits(found, encoders), set(output_names(view))
    identities = {each: encoder_model(specs, each, root, data) for each in encoders_below(specs.views, name)}
    return ViewPlan(
        specs=specs,
        name=name,
        raw=raw,
        outputs=tuple(output for output in every if output.name in written),
        hidden=tuple(output for output in every if output.name not in written),
        encoders=encoders,
        fingerprint=fingerprint(specs, name, {e: m.fingerprint for e, m in identities.items()}),
        root=root,
        data=data,
        members=tuple(Member(each, plan.fingerprint, plan.folder / plan.fingerprint) for each, plan in plans.items()),
    )

"""What workers do side by side with the events of a micro-batch: judge, clean and encode them."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from limner.workers.plan import ViewPlan
from limner.workers.stream.choose import Streamed
from limner.workers.stream.cleaned import Cleaner
from limner.workers.stream.events import Raw
from limner.workers.stream.inputs import Told
from limner.workers.stream.intake import Intake, Taken, dead_letter
from limner.workers.stream.state import State
from limner.workers.stream.vectors import LiveVectors, Made


@dataclass
class Begun:
    """A micro-batch that is read, cleaned and encoded, as of `until` (µs), when the last one was of `seen`."""

    until: int
    seen: int
    raws: Sequence[Raw]
    positions: Mapping[str, str]
    told: Told = field(default_factory=Told)
    taken: dict[str, Taken] = field(default_factory=dict)
    made: Made = field(default_factory=Made)
    dead: list[tuple[str, str]] = field(default_factory=list)
    rows: dict[str, dict[str, pa.Table]] = field(default_factory=dict)


class Preparing:
    """The sources of some views, as events of them come; `scratch` is a folder of its own."""

    def __init__(
        self,
        streamed: Streamed,
        root: Path,
        state: State,
        vectors: LiveVectors,
        scratch: Path,
        memory_limit: str,
    ) -> None:
        self._streamed, self._root, self._state, self._scratch = streamed, root, state, scratch
        self._vectors = vectors
        self._intakes: dict[str, Intake] = {}
        self._opened = ExitStack()
        self._cleaner = Cleaner(scratch, memory_limit)
        self._opened.callback(self._cleaner.close)

    def close(self) -> None:
        """Close the sessions."""
        self._opened.close()

    def begin(self, instant: int) -> None:
        """Take up what is known of the sources at an instant (µs): ids of events, and how keys are spelled."""
        for name, source in self._streamed.sources.items():
            plan = next(plan for plan in self._streamed.plans.values() if name in plan.view.reads)
            keys = [source.rename.get(each, each) for each in plan.raw[name]]
            intake = self._intakes[name] = Intake(source, self._root, keys)
            self._opened.callback(intake.close)
            with self._state.transaction():
                if not self._state.complete(name):
                    intake.remember_files(self._state, instant)
                self._state.set_source(name, intake.folder)
            intake.spelled.update(self._state.keys(name))

    def prepare(self, begun: Begun) -> None:
        """Judge the events, clean and encode those that are taken. LimnerError where that cannot be done."""
        told, dead, raws = begun.told, begun.dead, begun.raws
        for source in dict.fromkeys(raw.source for raw in raws):
            each = begun.taken[source] = self._take(source, raws, begun.until)
            places = [place for place, raw in enumerate(raws) if raw.source == source]
            told.again |= {places[place] for place in each.repeated}
            for place, reason in each.refused:
                told.refused[places[place]] = reason
                dead.append((source, dead_letter(raws[places[place]].body, reason, begun.until)))
        for name, plan in self._streamed.plans.items():
            begun.rows[name] = self._clean(plan, begun)

    def spelled(self, source: str) -> dict[str, str]:
        """How keys of events are spelled, by their lower case; what is put into it counts from then on."""
        return self._intakes[source].spelled if source in self._intakes else {}

    def overtaken(self, begun: Begun) -> bool:
        """Whether another worker has taken one of the events, or spells a key otherwise than they do."""
        overtaken = False
        for source, each in begun.taken.items():
            overtaken |= bool(self._state.seen(source, list(each.lines)))
            spelled, known = self.spelled(source), self._state.keys(source)
            overtaken |= any(spelled.get(lower, key) != key for lower, key in known.items())
            spelled.update(known)
        return overtaken

    def _take(self, source: str, raws: Sequence[Raw], until: int) -> Taken:
        bodies = [raw.body for raw in raws if raw.source == source]
        intake = self._intakes.get(source)
        if intake is None:
            return Taken(refused=[(place, f"no view follows a source {source!r}") for place in range(len(bodies))])
        return intake.take(bodies, until, self._state, self._file(source))

    def _file(self, source: str) -> Path:
        return self._scratch / f"{source}.jsonl"

    def _clean(self, plan: ViewPlan, begun: Begun) -> dict[str, pa.Table]:
        """The clean rows of a view, by source; what is quarantined is told, vectors are made."""
        found: dict[str, pa.Table] = {}
        for source, each in begun.taken.items():
            if source not in plan.view.reads or not each.lines:
                continue
            clean = self._cleaner.clean(plan, source, self._file(source))
            if len(clean.rows):
                found[source] = clean.rows
            for id_, reason in clean.quarantined:
                begun.told.quarantined.setdefault((source, id_), []).append(f"{plan.name}: {reason}")
                letter = dead_letter(each.bodies.get(id_, b""), reason, begun.until, view=plan.name)
                begun.dead.append((source, letter))
            for encoder, model in plan.encoders.items():
                reading = next(reading for reading in plan.readings if reading.source == source)
                texts: dict[bytes, str] = {}
                for column, (_, used) in reading.texts.items():
                    texts |= clean.texts[column] if used == encoder else {}
                self._vectors.make(model, texts, begun.made)
        return found

"""What the next run of a plan would cost, view by view: rows, texts, time, room. Made from the ledger's own runs."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from limner.feature_repo.compile import Compiled
from limner.feature_repo.plan import PlanResult, ViewChange
from limner.feature_repo.project import Project
from limner.workers.costs.amount import NOTHING, Amount, unknown
from limner.workers.costs.measure import width_of
from limner.workers.costs.rates import Rates, read_rates
from limner.workers.costs.rows import count_rows
from limner.workers.costs.texts import Ask, Texts, count_texts
from limner.workers.history.manifest import History
from limner.workers.history.served import served_history
from limner.workers.plan import ViewPlan

_NO_RUN = "no run yet"


@dataclass(frozen=True)
class TextCost:
    """Texts of one encoder: distinct ones, those not yet encoded, their tokens, the seconds that encoding takes."""

    encoder: str
    distinct: Amount
    missing: Amount
    tokens: Amount
    seconds: Amount
    gpu_seconds: Amount


@dataclass(frozen=True)
class ViewCost:
    """What computing a view costs. `seconds` is all of it, `reading` what is not encoding; bytes are those of the new
    history and profiles. `rates` says which rates were used, and where they are from.
    """

    view: str
    rows: Amount
    texts: tuple[TextCost, ...]
    seconds: Amount
    reading: Amount
    gpu_seconds: Amount
    history_bytes: Amount
    online_bytes: Amount
    rates: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanCost:
    """The costs of the views that a plan computes, and of all together."""

    views: tuple[ViewCost, ...] = ()
    total: ViewCost | None = None
    seconds: float = 0.0  # that estimating took


@dataclass
class _Known:
    """What is found out once for all views."""

    rates: Rates
    rows: dict[str, Amount] = field(default_factory=dict)  # by source
    histories: dict[str, Amount] = field(default_factory=dict)  # rows, by view
    counted: dict[str, set[bytes]] = field(default_factory=dict)  # digests by encoder fingerprint


def estimate(project: Project, compiled: Compiled, plan: PlanResult) -> PlanCost:
    """Estimate what the plan's new and changed views cost. Reads footers, samples and the ledger; changes nothing."""
    begun = time.monotonic()
    changes = [change for change in plan.views if _computes(project, change)]
    if not changes:
        return PlanCost()
    known = _Known(read_rates(project.settings.ledger))
    plans = {change.view: compiled.plans[change.view] for change in changes}
    for each in plans.values():
        for source in each.view.reads:
            if source not in known.rows:
                known.rows[source] = count_rows(each.specs.sources[source], project.root)
        for member in each.view.views:
            if member not in known.histories:
                known.histories[member] = _history_rows(project, member) or unknown(f"{member} has no history yet")
    asked = [change for change in changes if plans[change.view].encoders]
    asks = []
    for change in asked:
        rows = {source: known.rows[source].value or 0 for source in plans[change.view].view.reads}
        asks.append(Ask(plans[change.view], _until(change), rows))
    texts = dict(zip([change.view for change in asked], count_texts(asks), strict=True))
    views = tuple(_view(project, known, plans[change.view], texts.get(change.view, [])) for change in changes)
    return PlanCost(views, _total(views), round(time.monotonic() - begun, 3))


def _computes(project: Project, change: ViewChange) -> bool:
    """Whether the next run computes this view over an interval that is covered by no history."""
    if change.rebuild is not None:
        return True
    nothing_yet = History(project.history(change.view) / str(change.fingerprint)).coverage() is None
    return change.action in ("new", "changed") and nothing_yet


def _until(change: ViewChange) -> int:
    return change.rebuild[1] if change.rebuild is not None else int(datetime.now(UTC).timestamp() * 1_000_000)


def _rows(known: _Known, plan: ViewPlan) -> Amount:
    held = [known.rows[each] for each in plan.view.reads] + [known.histories[each] for each in plan.view.views]
    return sum(held, NOTHING)


def _view(project: Project, known: _Known, plan: ViewPlan, texts: list[Texts] | str) -> ViewCost:
    rows, sources, rates = _rows(known, plan), plan.inputs, known.rates
    said: list[str] = []
    pace = rates.seconds_per_row(plan.name, sources)
    if pace is not None:
        said.append(f"{_fast(1 / pace.value)} rows/s from {pace.origin}")
    found = _texts(known, plan, texts, said)
    encoding = sum((each.seconds for each in found), NOTHING)
    history, online = _room(project, known, plan, rows)
    reading = unknown(_NO_RUN) if pace is None else rows.times(pace.value)
    return ViewCost(
        view=plan.name,
        rows=rows,
        texts=found,
        seconds=reading + encoding,
        reading=reading,
        gpu_seconds=sum((each.gpu_seconds for each in found), NOTHING),
        history_bytes=history,
        online_bytes=online,
        rates=tuple(said),
    )


def _texts(known: _Known, plan: ViewPlan, texts: list[Texts] | str, said: list[str]) -> tuple[TextCost, ...]:
    if isinstance(texts, str):
        why = unknown(texts)
        return tuple(TextCost(name, why, why, why, why, why) for name in plan.encoders)
    found = []
    for each in texts:
        fingerprint = plan.encoders[each.encoder].fingerprint
        share = _share(known.counted.setdefault(fingerprint, set()), each)
        note = f"from a sample of {each.sampled:,} rows" if each.about else ""
        missing = Amount(each.missing * share, each.about, note)
        tokens = unknown("no tokenizer to ask") if each.tokens is None else Amount(each.tokens * share, about=True)
        seconds = gpu = Amount(0.0) if not missing.value else unknown(_NO_RUN)
        pace = known.rates.encoding(fingerprint)
        if pace is not None and missing.value:
            rate, device = pace
            seconds = Amount(each.characters * share * rate.value, about=True)
            gpu = seconds if device == "gpu" else Amount(0.0) if device else unknown("its server did not say where")
            where = f" on a {device.upper()}" if device else ""
            said.append(f"{each.encoder}: {_fast(1 / rate.value)} characters/s{where} from {rate.origin}")
        found.append(TextCost(each.encoder, Amount(each.distinct, each.about, note), missing, tokens, seconds, gpu))
    return tuple(found)


def _fast(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _share(counted: set[bytes], texts: Texts) -> float:
    """The part of the missing texts that no earlier view of this plan has: a text is encoded once."""
    digests = {texts.digests[start : start + 16] for start in range(0, len(texts.digests), 16)}
    share = len(digests - counted) / len(digests) if digests else 1.0
    counted |= digests
    return share


def _room(project: Project, known: _Known, plan: ViewPlan, rows: Amount) -> tuple[Amount, Amount]:
    """Bytes of history and of online profiles, by the width of a row and by how dense earlier ones lay."""
    rates, sources, width = known.rates, plan.inputs, width_of(plan.outputs)
    many = rates.history_rows_per_row(plan.name, sources)
    dense = rates.history_density(plan.name, sources)
    history = unknown(_NO_RUN)
    if many is not None and dense is not None:
        expected = _history_rows(project, plan.name) or rows.times(many.value)
        history = expected.times(width * dense.value, f"from {dense.origin}")
    if not plan.view.online:
        return history, Amount(0.0)
    entities, packed = rates.entities(plan.view.entity), rates.online_density(plan.name, sources)
    if entities is None or packed is None:
        return history, unknown(_NO_RUN)
    return history, Amount(entities.value * width * packed.value, about=True, note=f"from {packed.origin}")


def _history_rows(project: Project, view: str) -> Amount | None:
    """As many as the version of a view has that is served; None where there is none."""
    import pyarrow.parquet as pq

    history = served_history(project.history(view))
    if history is None:
        return None
    found = sum(pq.read_metadata(part.path).num_rows for part in history.parts())
    return Amount(float(found), about=True) if found else None


def _total(views: tuple[ViewCost, ...]) -> ViewCost:
    texts: dict[str, TextCost] = {}
    for view in views:
        for each in view.texts:
            old = texts.get(each.encoder)
            texts[each.encoder] = each if old is None else _together(old, each)
    return ViewCost(
        view="",
        rows=sum((view.rows for view in views), NOTHING),
        texts=tuple(texts.values()),
        seconds=sum((view.seconds for view in views), NOTHING),
        reading=sum((view.reading for view in views), NOTHING),
        gpu_seconds=sum((view.gpu_seconds for view in views), NOTHING),
        history_bytes=sum((view.history_bytes for view in views), NOTHING),
        online_bytes=sum((view.online_bytes for view in views), NOTHING),
    )


def _together(one: TextCost, other: TextCost) -> TextCost:
    """How many distinct ones there are is not known: views may share texts; the missing ones are counted once."""
    return TextCost(
        one.encoder,
        unknown("views may share texts"),
        one.missing + other.missing,
        one.tokens + other.tokens,
        one.seconds + other.seconds,
        one.gpu_seconds + other.gpu_seconds,
    )

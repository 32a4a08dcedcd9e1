"""`limner fit`: the versions of a model that are due, in a run of the ledger."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from limner.language.columns import check
from limner.language.errors import LimnerError
from limner.language.repo import Specs, load
from limner.language.suggest import did_you_mean
from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.serving import add
from limner.workers.ledger import Ledger, ModelVersion
from limner.workers.members import text_of
from limner.workers.models.fitting import Fitted, due, fit, there
from limner.workers.models.pins import definition_of, with_pins
from limner.workers.models.versions import Version, folder_of
from limner.workers.report import Reporter
from limner.workers.running import running
from limner.workers.settings import EngineSettings
from limner.workers.sources.describe import describe_all


def fit_model(
    root: Path,
    settings: EngineSettings,
    name: str,
    reporter: Reporter,
    *,
    now: int,
    as_of: int | None = None,
    every: bool = False,
    allow_suspicious: bool = False,
) -> tuple[Fitted, ...]:
    """Make the version whose cut-off is `as_of` (µs), or the last that is due by `now`, or `every` one that is due by
    `as_of` (by `now`). Where all are there, nothing is started.

    Raises SpecError for broken specs, LimnerError where a version cannot be made; those made before it stay.
    """
    specs = load(settings.specs)
    check(specs, describe_all(specs, root))
    if name not in specs.models:
        raise LimnerError(f"there is no model {name!r}: {did_you_mean(name, specs.models)}")
    specs = with_pins(specs, root, settings.data)  # views that are learned from may ask models of texts
    if as_of is not None and as_of > now:
        raise LimnerError(
            f"a version as of {text_of(as_of)} would know what is not known yet: choose an earlier cut-off"
        )
    if every or as_of is None:
        cut_offs = due(specs.models[name], now if as_of is None else as_of)[0 if every else -1 :]
    else:
        cut_offs = (as_of,)
    definition = definition_of(specs, name, root, settings.data)
    known = [there(settings.data, name, definition, each) for each in cut_offs]
    if all(known):
        return tuple(each for each in known if each is not None)
    ledger = Ledger(settings.ledger)
    try:
        return _run(specs, name, cut_offs, root, settings, ledger, reporter, allow_suspicious)
    finally:
        ledger.close()


def _run(
    specs: Specs,
    name: str,
    cut_offs: Sequence[int],
    root: Path,
    settings: EngineSettings,
    ledger: Ledger,
    reporter: Reporter,
    allow_suspicious: bool,
) -> tuple[Fitted, ...]:
    from limner.workers.cluster import Cluster

    done: list[Fitted] = []
    cluster = partial(Cluster, settings)
    with running(settings, ledger, cluster, "fit", [name], None, max(cut_offs), reporter) as run:
        run.summary[name] = {"versions": []}
        context = replace(run.context, serve=partial(add, TritonHome(root), settings.triton))
        for cut_off in cut_offs:
            made = fit(specs, name, cut_off, root, settings.data, context, allow_suspicious=allow_suspicious)
            done.append(made)
            run.summary[name]["versions"].append(made.version.id)
            if made.registered:
                ledger.register(_row(made.version, settings.data, context.run_id))
    return tuple(done)


def _row(version: Version, data: Path, run_id: str) -> ModelVersion:
    return ModelVersion(
        model=version.model,
        version=version.id,
        definition=version.definition,
        cut_off=version.cut_off,
        data=version.data,
        metrics=version.metrics,
        files=version.files,
        path=str(folder_of(data, version.model) / version.id),
        run_id=run_id,
    )

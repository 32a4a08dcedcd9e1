"""`limner evaluate`: the versions of a model, measured and reported, in a run of the ledger."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from limner.language.columns import check
from limner.language.errors import LimnerError
from limner.language.repo import Specs, load
from limner.language.suggest import did_you_mean
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.evaluation import charts
from limner.workers.evaluation.bootstrap import DRAWS
from limner.workers.evaluation.report import About, write
from limner.workers.evaluation.versions.asked import Asked, Told
from limner.workers.evaluation.versions.kinds import evaluate
from limner.workers.history.lock import view_lock
from limner.workers.ledger import Ledger
from limner.workers.members import text_of
from limner.workers.models.pins import definition_of, with_pins
from limner.workers.models.versions import Version, folder_of, registered
from limner.workers.report import Reporter
from limner.workers.running import running
from limner.workers.settings import EngineSettings
from limner.workers.sources.describe import describe_all

REPORT = "report.html"


@dataclass(frozen=True)
class Evaluated:
    """A version with what is told of it and its report; or, where it cannot be measured, why not."""

    version: Version
    told: Told | None = None
    report: Path | None = None
    why_not: str = ""


def evaluate_model(
    root: Path,
    settings: EngineSettings,
    name: str,
    reporter: Reporter,
    *,
    known_by: int,
    version: str | None = None,
    every: bool = False,
    out: Path | None = None,
    draws: int = DRAWS,
) -> tuple[Evaluated, ...]:
    """Measure a version by what is known by an instant (µs): the last one made by then, the one named, or `every` one.

    A report lies in the version's folder, or is `out`. Of several versions, those that cannot be measured say why; of
    one, that is a LimnerError. Raises SpecError for broken specs.
    """
    from limner.workers.cluster import Cluster

    specs = load(settings.specs)
    check(specs, describe_all(specs, root))
    specs = with_pins(specs, root, settings.data)  # what a model reads may be said by models of texts
    chosen = _chosen(specs, name, root, settings.data, known_by, version, every=every)
    if out is not None and len(chosen) > 1:
        raise LimnerError(f"--out is for one report, and there are {len(chosen)} versions: name one with --version")
    ledger = Ledger(settings.ledger)
    done: list[Evaluated] = []
    try:
        cluster = partial(Cluster, settings)
        with running(settings, ledger, cluster, "evaluate", [name], None, known_by, reporter) as run:
            run.summary[name] = {"versions": []}
            for each in chosen:
                done.append(
                    evaluated(
                        specs,
                        each,
                        root,
                        settings.data,
                        run.context,
                        known_by=known_by,
                        draws=draws,
                        out=out,
                        alone=not every,
                    )
                )
                run.summary[name]["versions"].append(each.id)
    finally:
        ledger.close()
    return tuple(done)


def evaluated(
    specs: Specs,
    version: Version,
    root: Path,
    data: Path,
    context: RunContext,
    *,
    known_by: int,
    draws: int = DRAWS,
    out: Path | None = None,
    alone: bool = True,
) -> Evaluated:
    """Measure one version, and write its report. LimnerError where it cannot be, if it is `alone`."""
    context.reporter(report.EvaluationStarted(version.model, version.id, known_by))
    stage = data / "stage" / f"evaluate-{version.model}"
    folder = folder_of(data, version.model)
    with view_lock(folder, "fitted or evaluated"):
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        try:
            asked = Asked(specs, specs.models[version.model], version, known_by, root, data, stage, context, draws)
            told = evaluate(asked)
        except LimnerError as error:
            if alone:
                raise
            return Evaluated(version, why_not=str(error))
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    path = out if out is not None else folder / version.id / REPORT
    drawn = (charts.drift(told.drift),) if told.drift else ()
    write(path, _about(asked, told), told.evaluation, (*told.charts, *drawn), told.contributions)
    return Evaluated(version, told, path)


def _chosen(
    specs: Specs, name: str, root: Path, data: Path, known_by: int, version: str | None, *, every: bool
) -> Sequence[Version]:
    """The versions that are to be measured, by cut-off: of the definition as it is, with a cut-off that has come."""
    if name not in specs.models:
        raise LimnerError(f"there is no model {name!r}: {did_you_mean(name, specs.models)}")
    known, wanted = registered(data, name), definition_of(specs, name, root, data)
    if version is not None:
        found = [each for each in known if each.startswith(version)]
        if len(found) != 1:
            text = f"model {name} has {'no' if not found else 'more than one'} version {version!r}"
            raise LimnerError(f"{text}: {did_you_mean(version, known)}")
        if known[found[0]].definition != wanted:
            raise LimnerError(
                f"version {found[0]} of model {name} is of an earlier definition: what it reads and asks is not what "
                f"the specs say now; `limner fit {name}` makes one of theirs"
            )
        if known[found[0]].cut_off > known_by:
            cut_off = text_of(known[found[0]].cut_off)
            raise LimnerError(
                f"version {found[0]} of model {name} has the cut-off {cut_off}, which is later: see --as-of"
            )
        return [known[found[0]]]
    spoken = [each for each in known.values() if each.definition == wanted and each.cut_off <= known_by]
    if not spoken:
        raise LimnerError(
            f"model {name} has no version of its definition as it is, with a cut-off by {text_of(known_by)}: "
            f"`limner fit {name}`"
        )
    return spoken if every else spoken[-1:]


def _about(asked: Asked, told: Told) -> About:
    version = asked.version
    suspicion = f"Kept although it is too good to be true: {version.suspicious} seems to hold the label itself."
    return About(
        model=version.model,
        version=version.id,
        description=asked.model.description,
        asked=told.question,
        facts={
            "kind": version.kind,
            "cut-off": text_of(version.cut_off),
            "measured by": _BASIS[told.basis],
            **told.facts,
            "nothing known after": text_of(asked.known_by),
            "seed": str(version.seed),
        },
        fingerprints={"definition": version.definition, "data it learned from": version.data},
        notes=(*told.notes, *version.notes, *([suspicion] if version.suspicious else [])),
    )


_BASIS = {
    "later": "what came after its cut-off",
    "earlier": "an earlier cut-off, and what came between: too little has come after its own",
}

"""`limner fit NAME`: learn a model of what was known by its cut-off, and keep it as a version."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.models.fitting import Fitted
    from limner.workers.models.versions import Version

NOT_MEASURED = "not measured"


def fit(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model of the specs.", show_default=False)],
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="T", help="The cut-off. Default: the last of its schedule that has come."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every cut-off of its schedule that has come (by --as-of).")
    ] = False,
    allow_suspicious: Annotated[
        bool, typer.Option("--allow-suspicious", help="Keep a version that is too good to be true.")
    ] = False,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Learn a model from examples that were known by a cut-off, and register the version.

    It speaks once `limner apply` has pinned it and a run has computed the views that ask it.
    """
    from limner.cli.progress import progress
    from limner.language.durations import micros_of, parse_instant
    from limner.workers.models.run import fit_model

    root = project.find(project_folder)
    try:
        cut_off = None if as_of is None else parse_instant(as_of)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from None
    with progress(output.side_console()) as reporter:
        made = fit_model(
            root,
            project.settings(root),
            name,
            reporter,
            now=micros_of(datetime.now(UTC)),
            as_of=cut_off,
            every=every,
            allow_suspicious=allow_suspicious,
        )
    if json:
        output.emit_json(
            [as_data(each.version) | {"registered": each.registered, "there": each.there} for each in made]
        )
    else:
        for each in made:
            render(each)
    refused = [each for each in made if not each.registered]
    if refused:
        raise LimnerError(_suspicion(refused[0].version))
    return 0


def as_data(version: "Version") -> dict[str, Any]:
    """A version as plain data."""
    when = {key: output.instant(version.examples[key]) for key in ("first", "last") if key in version.examples}
    return {
        **version.model_dump(mode="json", exclude={"files"}),
        "version": version.id,
        "cut_off": output.instant(version.cut_off),
        "examples": version.examples | when,
    }


def render(made: "Fitted") -> None:
    """Print what became of one version."""
    say = output.console().print
    version = made.version
    fate = "already there" if made.there else "registered" if made.registered else "not registered"
    say(f"{version.model} · version {version.id} · cut-off {output.instant(version.cut_off)} · {fate}", soft_wrap=True)
    lines = [_learned_from(version), told(version), *version.notes]
    if any(note.startswith(NOT_MEASURED) for note in version.notes):
        lines.remove(NOT_MEASURED)  # a note says why
    for line in lines:
        say(f"  {line}", markup=False, soft_wrap=True)


def _learned_from(version: "Version") -> str:
    examples = version.examples
    if version.kind == "segments":
        return f"{examples['learned_from']:,} entities as of {output.instant(examples['last'])}"
    when = f"from {output.instant(examples['first'])} to {output.instant(examples['last'])}"
    if version.kind == "sequence":
        return (
            f"{examples['found']:,} rows of {examples['entities']:,} entities {when}; {examples['items']:,} items, "
            f"{examples['epochs']} epochs"
        )
    if "classes" not in examples:
        part = examples["positive"] / examples["learned_from"]
        return f"{examples['learned_from']:,} examples at {examples['instants']} instants {when}, {part:.1%} yes"
    classes = ", ".join(f"{name} {count:,}" for name, count in examples["classes"].items() if count) or "none"
    what = "examples" if version.kind == "interests" else "texts"
    return f"{examples['learned_from']:,} different texts of {examples['rows']:,} rows {when}; {what}: {classes}"


def told(version: "Version") -> str:
    """The metrics in a line."""
    metrics = version.metrics
    if version.kind == "segments":
        nowhere = f", {metrics['in_none']:.1%} in none" if "in_none" in metrics else ""
        return f"{metrics['segments']:.0f} segments, silhouette {metrics['silhouette']:.3f}{nowhere}"
    if "classes" in version.examples:
        return _told_of_texts(version)
    if version.kind == "sequence":
        return _told_of_sequences(version)
    best = f"the best feature alone: AUC {metrics['best_feature_roc_auc']:.3f}"
    if "roc_auc" not in metrics:
        return best
    return (
        f"on {metrics['examples']:,.0f} later examples: AUC {metrics['roc_auc']:.3f}, average precision "
        f"{metrics['average_precision']:.3f}, Brier {metrics['brier']:.3f}, calibration error "
        f"{metrics['calibration_error']:.3f}; {best}"
    )


def _told_of_texts(version: "Version") -> str:
    metrics = version.metrics
    if not metrics:
        return NOT_MEASURED
    on = "examples, left out in turns" if version.kind == "interests" else "later texts"
    return (
        f"on {metrics['examples']:,.0f} {on}: accuracy {metrics['accuracy']:.3f} (the most frequent class: "
        f"{metrics['baseline_accuracy']:.3f}), macro F1 {metrics['macro_f1']:.3f}, AUC {metrics['roc_auc']:.3f}, "
        f"log loss {metrics['log_loss']:.3f}, calibration error {metrics['calibration_error']:.3f}"
    )


def _told_of_sequences(version: "Version") -> str:
    metrics = version.metrics
    if not metrics:
        return "not measured"
    days = f", half-life {metrics['half_life_days']:.0f} days" if "half_life_days" in metrics else ""
    return (
        f"next items at {metrics['queries']:,.0f} later instants: NDCG@10 {metrics['ndcg_at_10']:.3f}, recall@10 "
        f"{metrics['recall_at_10']:.3f}, hit@10 {metrics['hit_at_10']:.3f}; NDCG@10 of own frequency{days} "
        f"{metrics['own_frequency_ndcg_at_10']:.3f}, of popularity {metrics['popularity_ndcg_at_10']:.3f}"
    )


def _suspicion(version: "Version") -> str:
    if "classes" in version.examples:
        return (
            f"model {version.model}: too good to be true (an AUC of {version.metrics['roc_auc']:.4f} on later texts), "
            f"as if the text {version.suspicious!r} held the label itself: see what it is made of; if it is meant so, "
            "keep the version with --allow-suspicious"
        )
    return (
        f"model {version.model}: too good to be true, as if {version.suspicious} held the label itself (alone it has "
        f"an AUC of {version.metrics['best_feature_roc_auc']:.4f}): see what it is made of; if it is meant so, "
        "keep the version with --allow-suspicious"
    )

"""The `limner` command and its one error boundary.

Exit codes: 0 success, 1 expected failure, 2 usage, 3 bug, 130 interrupted.
Nothing imported here may import Feast, Ray, torch, DuckDB or pydantic: `limner --help` answers at once.
"""

import os
import sys
from collections.abc import Callable, Sequence

import typer

from limner.cli import output, project
from limner.cli.commands import (
    apply,
    bench,
    demo,
    diff,
    doctor,
    evaluate,
    examples,
    fit,
    gc,
    get,
    history,
    init,
    materialize,
    models,
    plan,
    rollback,
    runs,
    schema,
    serve,
    show,
    similar,
    simulate,
    skew,
    stream,
    triton,
    validate,
)
from limner.cli.crash import record_crash
from limner.cli.options import ProjectOption
from limner.language.errors import LimnerError

# Read by gRPC when Feast first imports it: a command may start Ray after it spoke to Triton (encoder/transport.py).
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

INTERRUPTED = 130
BUG = 3

# In the order a newcomer meets them; the texts fit the help's one line.
COMMANDS: tuple[tuple[str, Callable[..., int], str], ...] = (
    ("init", init.init, "Make a new project."),
    ("validate", validate.validate, "Check the specs and what they read."),
    ("test", examples.examples, "Run the examples in the specs."),
    ("fit", fit.fit, "Learn a model of what was known."),
    ("models", models.models, "Versions of models, and how good they are."),
    ("evaluate", evaluate.evaluate, "What a model is worth, beside baselines."),
    ("plan", plan.plan, "What apply would change."),
    ("apply", apply.apply, "Register the specs with Feast."),
    ("materialize", materialize.materialize, "Compute features, serve them."),
    ("stream", stream.stream, "Follow events: profiles change as they come."),
    ("skew", skew.skew, "Whether online values are what a run computes."),
    ("get", get.get, "Online values of entities."),
    ("show", show.show, "One readable profile."),
    ("similar", similar.similar, "The nearest entities by a vector."),
    ("serve", serve.serve, "Profiles over HTTP."),
    ("diff", diff.diff, "How a profile differs: two instants, two versions."),
    ("history", history.history, "A training set, as of any instants."),
    ("rollback", rollback.rollback, "Serve the version before."),
    ("gc", gc.gc, "Remove what nothing serves."),
    ("runs", runs.runs, "What was run and how it ended."),
    ("doctor", doctor.doctor, "What is wrong, and what to do about it."),
    ("schema", schema.schema, "JSON Schema of the spec language."),
    ("demo", demo.demo, "The whole loop on a demo data set."),
    ("simulate", simulate.simulate, "A project of simulated shoppers."),
)

app = typer.Typer(
    name="limner",
    help="User profiles declared in YAML, computed by Ray and Triton, registered and served by Feast.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for _name, _function, _help in COMMANDS:
    app.command(_name, short_help=_help)(_function)
app.add_typer(triton.app, name="triton", short_help="The project's own Triton server.")
app.add_typer(bench.app, name="bench", short_help="Measure.", help="How fast this machine is.")


@app.callback()
def options(project_folder: ProjectOption = None) -> None:
    """Remember the options given before the command."""
    project.choose(project_folder)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every exception of every command ends here."""
    try:
        return int(app(args=list(arguments), prog_name="limner", standalone_mode=False) or 0)
    except LimnerError as error:
        output.error(str(error))
        return 1
    except (KeyboardInterrupt, typer.Abort):
        output.error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone: keep the interpreter from failing once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the boundary: what nothing expected is a bug, and is reported as one
        return _unexpected(error, arguments)


def _unexpected(error: Exception, arguments: Sequence[str]) -> int:
    """Tell a usage error (Typer shows it) from a bug (a crash report)."""
    if hasattr(error, "show") and hasattr(error, "exit_code"):
        error.show()
        return int(error.exit_code)
    output.error(record_crash(error, arguments))
    return BUG


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

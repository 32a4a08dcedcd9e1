"""`limner apply`: Feast's own apply, after a plan, and only if the plan still holds."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from limner.feature_repo.compile import compile_project
from limner.feature_repo.plan import PlanResult, compare, registered
from limner.feature_repo.project import Project
from limner.language.errors import LimnerError


def apply(reviewed: PlanResult) -> PlanResult:
    """Apply the plan that was reviewed, as `feast apply` does; returns it.

    The engine records the deployment in the ledger. LimnerError if the specs or the registry have changed since.
    """
    project = Project.at(reviewed.root / "feature_repo")
    # The examples held when the plan was made, and no example is part of what is applied.
    require(compare(project, compile_project(project), registered(project)), reviewed.checksum)
    if not reviewed.empty:
        feast_apply(reviewed.root / "feature_repo")
    return reviewed


def require(found: PlanResult, checksum: str) -> None:
    """LimnerError unless `found` is the plan of that checksum."""
    if found.checksum != checksum:
        raise LimnerError(
            f"the plan is now {found.checksum}, not {checksum}: the specs or what is registered have changed since it "
            "was made; review what `limner plan` says now"
        )


def feast_apply(repo: Path) -> None:
    """Run what `feast apply` runs on a Feast repository; LimnerError with what it said where it refuses."""
    from feast.repo_config import load_repo_config
    from feast.repo_operations import apply_total

    config = load_repo_config(repo, repo / "feature_store.yaml")
    said = io.StringIO()
    with _like_feast(repo), contextlib.redirect_stdout(said):
        try:
            apply_total(config, repo, skip_source_validation=False)
        except SystemExit as error:
            raise LimnerError(f"feast apply refused: {said.getvalue().strip()}") from error


@contextlib.contextmanager
def _like_feast(repo: Path) -> Iterator[None]:
    """Feast imports definitions.py by its bare name from the working directory; leave no trace of that."""
    before, path, bytecode = Path.cwd(), list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, str(repo))
    _forget(repo)
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        sys.dont_write_bytecode = bytecode
        _forget(repo)


def _forget(repo: Path) -> None:
    """Modules of another project, or of this one before an edit, would be taken for its definitions."""
    names = [file.stem for file in repo.glob("*.py")]
    for name in names:
        sys.modules.pop(name, None)

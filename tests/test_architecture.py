"""What the layers promise one another, checked in the source itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("specs/language", "workers", "feature_repo", "simulate", "cli", "limner")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def importers(package: str) -> set[str]:
    found = set()
    for path, tree in modules():
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == package for name in names):
                found.add(path)
    return found


def calls(name: str) -> set[str]:
    return {
        path
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    }


def test_ray_is_imported_by_one_file() -> None:
    """Replacing or upgrading Ray concerns one file."""
    assert importers("ray") == {"workers/cluster.py"}


def test_the_triton_client_is_imported_by_one_file() -> None:
    """Replacing or upgrading Triton's client concerns one file."""
    assert importers("tritonclient") == {"workers/encoder/transport.py"}


def test_feast_is_imported_by_the_feature_repo_and_the_command_line_only() -> None:
    """A new Feast concerns feature_repo; the command line runs Feast's own commands and reads training sets."""
    assert {path.split("/")[0] for path in importers("feast")} <= {"feature_repo", "cli"}


def test_only_the_command_line_prints_or_exits() -> None:
    """Libraries report events and raise; what happens to them is the caller's choice."""
    assert {
        path for name in ("print", "sys.exit", "exit") for path in calls(name) if not path.startswith("cli/")
    } == set()


@pytest.mark.parametrize("heavy", ["feast", "ray", "torch", "duckdb", "pandas", "pyarrow", "pydantic", "transformers"])
def test_the_command_line_starts_without_heavy_packages(heavy: str) -> None:
    """`limner --help` answers at once: what a command needs is imported by that command."""
    code = f"import sys, limner.cli.main; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_direct_reader_needs_neither_feast_nor_ray_nor_torch() -> None:
    """`limner.Store` is for model servers: it opens in milliseconds."""
    code = "import sys; from limner import Store; sys.exit(bool({'feast', 'ray', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

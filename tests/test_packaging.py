"""What an editable install hides: the wheel must hold every package and data file, and work on its own."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of what git knows, so that no leftover of an earlier build gets in."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in tracked():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes((ROOT / path).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(built), str(source)], check=True)
    return next(built.glob("limner-*.whl"))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def tracked() -> list[str]:
    """Files git knows or would add; symbolic links (the type checker's) aside."""
    listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file() and not name.startswith(".types/")]


def expected() -> set[str]:
    """Every module of the source tree, at its place in the wheel, and every declared data file."""
    folders = PROJECT["tool"]["setuptools"]["package-dir"]
    found = set()
    for path in tracked():
        for package, folder in sorted(folders.items(), key=lambda item: -len(item[1])):
            if path.startswith(f"{folder}/"):
                found.add(package.replace(".", "/") + path.removeprefix(folder))
                break
    return {
        path
        for path in found
        if (not path.endswith(("/feature_store.yaml", ".feastignore", ".md")) or "templates" in path)
        and not path.startswith("limner/benchmarks/baseline/")  # what one machine measured
    }


def test_the_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    """A subpackage left out of the list works in an editable install and vanishes from the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected()


def test_the_wheel_runs_without_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    """`limner init` from the wheel makes a project that `limner validate` accepts."""
    limner = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); import limner.cli.main as m; m.main()",
    ]
    subprocess.run([*limner, "init", "store"], check=True, cwd=tmp_path)
    done = subprocess.run([*limner, "validate"], check=False, cwd=tmp_path / "store", capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_subpackage_is_declared() -> None:
    """The package list is written by hand; a new folder must be in it."""
    folders = PROJECT["tool"]["setuptools"]["package-dir"]
    found = {"limner"}
    for package, folder in folders.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((package, *inner)))
    assert found <= set(PROJECT["tool"]["setuptools"]["packages"])


def test_a_new_project_is_configured_like_this_one() -> None:
    """The template of `limner init` and the repository's own feature repository say the same."""
    template = ROOT / "cli/templates/project/feature_repo"
    for name in ("feature_store.yaml", "definitions.py"):
        ours = (ROOT / "feature_repo" / name).read_text(encoding="utf-8")
        theirs = (template / name).read_text(encoding="utf-8").replace("{project}", PROJECT["project"]["name"])
        assert theirs == ours


def test_the_changelog_knows_the_version() -> None:
    """A release has its section; until then there is one for what is unreleased."""
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0] == PROJECT["project"]["version"]

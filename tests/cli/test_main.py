"""The error boundary: every way a command can end has its exit code and its words."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import Limner

from limner.cli.commands import validate
from limner.language.errors import LimnerError


def raising(error: BaseException) -> object:
    def check(_root: Path) -> dict[str, int]:
        raise error

    return check


def test_an_expected_failure_is_one_message_and_exit_code_1(
    limner: Limner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A LimnerError's text is all the user sees."""
    monkeypatch.setattr(validate, "check", raising(LimnerError("the disk is full: make room")))
    ended = limner("-C", project, "validate")
    assert (ended.code, ended.out, ended.err) == (1, "", "error: the disk is full: make room\n")


def test_a_bug_is_exit_code_3_and_a_report_in_a_file(
    limner: Limner, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A traceback is for the report, not for the user; the message says where it is."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(validate, "check", raising(ZeroDivisionError("oops")))
    ended = limner("-C", project, "validate")
    (report,) = tmp_path.glob("limner-crash-*.log")
    assert ended.code == 3
    assert str(report) in ended.err
    assert "Traceback" not in ended.err
    assert "ZeroDivisionError: oops" in report.read_text()


def test_an_interrupt_is_exit_code_130(limner: Limner, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command the way shells expect."""
    monkeypatch.setattr(validate, "check", raising(KeyboardInterrupt()))
    assert limner("-C", project, "validate").code == 130


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["valdate"], "Did you mean 'validate'"),
        (["validate", "--jsn"], "--json"),
        (["materialize", "2026-01-01"], "give START and END"),
    ],
)
def test_a_usage_error_is_exit_code_2_and_says_what_was_meant(
    limner: Limner, project: Path, arguments: list[str], said: str
) -> None:
    """The three likeliest slips of the hand: a command, an option, a missing instant."""
    ended = limner("-C", project, *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""


def test_outside_a_project_a_command_says_how_to_make_or_name_one(
    limner: Limner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first thing a newcomer meets."""
    monkeypatch.chdir(tmp_path)
    ended = limner("validate")
    assert ended.code == 1
    assert "limner init DIR" in ended.err
    assert "limner -C DIR" in ended.err


def test_a_project_is_found_from_a_folder_inside_it(
    limner: Limner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like git, from anywhere below."""
    monkeypatch.chdir(project / "specs")
    assert limner("validate").code == 0


def test_help_answers_at_once() -> None:
    """Under 0.3 seconds on an idle machine; the bound leaves room for a busy one."""
    took = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "limner.cli.main", "--help"], check=True, capture_output=True)
        took.append(time.monotonic() - started)
    assert min(took) < 1.0


def test_every_command_has_a_help_text(limner: Limner) -> None:
    """A command that cannot explain itself is not finished."""
    listed = limner("--help").out
    names = [
        line.split()[0]
        for line in listed.partition("Commands:")[2].splitlines()
        if line.startswith("  ") and line.strip()
    ]
    assert {
        "init",
        "validate",
        "plan",
        "apply",
        "materialize",
        "get",
        "history",
        "show",
        "runs",
        "doctor",
        "demo",
    } <= set(names)
    for name in names:
        ended = limner(name, "--help")
        assert ended.code == 0
        assert "Usage: limner" in ended.out


def test_a_reader_that_stops_early_is_no_error(project: Path) -> None:
    """`limner ... | head` ends quietly."""
    command = f"{sys.executable} -m limner.cli.main schema | head -c 10"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=project, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

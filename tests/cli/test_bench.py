"""What `limner bench` reports: ratios of the same round, targets held to them, and what an earlier run says of them."""

import json
from pathlib import Path

import pytest

from limner.benchmarks.baseline import reports, worse
from limner.benchmarks.page import page
from limner.benchmarks.report import Report
from limner.benchmarks.turns import in_turns
from limner.cli import bench_report
from limner.cli.commands.bench import NAMES
from limner.cli.main import run

ROOT = Path(__file__).resolve().parents[2]


def report(value: float, better: str = "more") -> dict[str, object]:
    return {"benchmark": "b", "ratios": [{"name": "ours over theirs", "value": value, "better": better}]}


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    """Rounds 2 and 3 were slow for both: medians of each side divided would say 4."""
    made = Report("b", {})
    made.compare("theirs over ours", [4.0, 9.0, 10.0], [2.0, 3.0, 1.0], target=3)
    assert made.ratios[0].value == 3.0
    assert made.ratios[0].met
    made.compare("share", [4.0], [2.0], target=1.5, better="less")
    assert made.to_json()["ratios"][1]["met"] is False


def test_contenders_take_turns_and_the_warm_round_does_not_count() -> None:
    order: list[str] = []

    def one(number: int) -> float:
        order.append(f"one {number}")
        return float(number)

    def two(number: int) -> None:
        order.append(f"two {number}")

    seconds = in_turns({"one": one, "two": two}, 2)
    assert order == ["one 0", "two 0", "two 1", "one 1", "one 2", "two 2"]
    assert seconds["one"] == [1.0, 2.0]
    assert len(seconds["two"]) == 2


@pytest.mark.parametrize(("better", "before", "after", "bad"), [
    ("more", 10.0, 6.0, True), ("more", 10.0, 7.0, False), ("less", 0.1, 0.2, True), ("less", 0.1, 0.05, False),
])  # fmt: skip
def test_only_a_much_worse_ratio_is_told(better: str, before: float, after: float, bad: bool) -> None:
    assert bool(worse(report(after, better), report(before, better))) is bad


def test_the_report_is_shown_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Report("b", {"events": 10})
    made.measure("ours", "rows/s", [1234567.0, 1300000.0, 1200000.0])
    made.compare("share", [4.0], [2.0], target=1.5, better="less")
    bench_report.show(made)
    told = capsys.readouterr().out
    assert "1,234,567" in told
    assert "missed: at most 1.5" in told
    bench_report.write(made, tmp_path / "deep" / "b.json")
    assert json.loads((tmp_path / "deep" / "b.json").read_text())["measured"][0]["rounds"] == 3


def test_all_refuses_a_folder_of_reports_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = run(["bench", "all", "--json", str(tmp_path), "--against", str(tmp_path / "none")])
    assert code == 1
    assert "there is no folder" in capsys.readouterr().err


def full(name: str, **changes: object) -> dict[str, object]:
    made = Report(name, {"events": 1000, "ways": ["a", "b"]}, command=f"limner bench {name}", seconds=61.4)
    made.machine = {"processor": "P", "cores": 2, "memory_gigabytes": 25.1, "instructions": ["avx2"], "gpu": None}
    made.versions = {"python": "3.11.7"}
    made.measure("ours | theirs", "rows/s", [1234567.0, 1300000.0, 1200000.0])
    made.compare("share", [4.0], [2.0], target=1.5, better="less")
    made.notes.append("a < b")
    return {**made.to_json(), **changes}


def test_a_page_tells_every_row_of_its_reports() -> None:
    text = page([full("b"), full("c", machine={**full("b")["machine"], "gpu": "1 x G"})])  # type: ignore[dict-item]
    assert text.count("Machine: ") == 2, "the second one ran elsewhere"
    assert "## b: events 1,000, ways a and b" in text
    assert "`limner bench c` took 61 s." in text
    assert "| ours \\| theirs | 1,234,567 | rows/s | 1,200,000 to 1,300,000 in 3 |" in text
    assert "| share | **2** |  | at most 1.5: **missed** |" in text
    assert "a &lt; b" in text


def test_reports_are_in_the_order_of_the_benchmarks(tmp_path: Path) -> None:
    for name in ("aggregate.10m", "scaling", "aggregate", "spec"):
        (tmp_path / f"{name}.json").write_text(json.dumps(full(name)))
    assert [each["benchmark"] for each in reports(tmp_path, NAMES)] == ["spec", "aggregate", "aggregate.10m", "scaling"]


def test_no_reports_are_an_error_that_says_how_to_make_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "page", str(tmp_path)]) == 1
    assert "there are no reports" in capsys.readouterr().err


def test_the_page_of_figures_is_the_one_that_the_reports_give(capsys: pytest.CaptureFixture[str]) -> None:
    """`make benchmarks-page` writes it."""
    assert run(["bench", "page", str(ROOT / "benchmarks" / "baseline")]) == 0
    assert (ROOT / "docs" / "benchmarks.md").read_text() == capsys.readouterr().out

"""The model of a large backfill: it adds up, follows its inputs, and takes measured rates from reports."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from limner.benchmarks.capacity import Rates, Scenario, model, of_reports
from limner.benchmarks.report import Report
from limner.cli import bench_report
from limner.cli.main import run


def test_more_work_takes_longer_and_more_machines_less() -> None:
    plain = model(Scenario(), Rates())
    for change in ({"events": 1e11}, {"texts": 2e8}, {"length": 2.0}, {"entities": 1e9}, {"gpus": 1}, {"disk": 1e8}):
        assert model(replace(Scenario(), **change), Rates()).hours > plain.hours, change
    assert model(Scenario(gpus=16), Rates()).hours < plain.hours
    assert plain.cost == pytest.approx(plain.hours * (4 * 32 * 0.05 + 8 * 2.0))


def test_measured_rates_replace_the_defaults(tmp_path: Path) -> None:
    """Texts a second of a machine without a GPU are those of its cores."""
    made = Report("encode", {}, machine={"cores": 2, "gpu": None})
    made.measure("through Triton", "texts/s", [900.0])
    bench_report.write(made, tmp_path / "encode.json")
    found = of_reports(tmp_path)
    assert found.cpu.value == 450
    assert found.events == Rates().events


def test_the_command_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "capacity", "--gpus", "0"]) == 0
    assert "| encode |" in capsys.readouterr().out
    assert run(["bench", "capacity", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["hours"] == pytest.approx(sum(stage["seconds"] for stage in told["stages"]) / 3600)

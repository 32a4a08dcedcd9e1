"""Classifiers whose encoder is tuned, from rows to versions: what they know, and what becomes of trouble."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner.language.errors import LimnerError
from limner.workers.encoder.errors import TritonFailed
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.models.fitting import Fitted, fit
from limner.workers.models.texts import tuned
from limner.workers.models.texts.fitting import KEPT
from limner.workers.models.texts.learned import Tuned
from limner.workers.models.texts.scoring import read_content
from limner.workers.models.texts.served import needed
from limner.workers.models.tuning import checkpoint
from limner.workers.models.tuning.asking import scores
from limner.workers.models.versions import folder_of, register, registered
from limner.workers.report import Event, ExamplesDrawn, ModelServed, TuningStep
from tests.integration.tiny_bert import write_tiny_bert
from tests.workers.models.texts import world
from tests.workers.models.texts.world import DAY, FIRST, MOODS, WORDS, reviews, write

CUT = FIRST + 60 * DAY
TUNE = "{how: HOW, epochs: 3, rate: RATE, batch: 16}"
SPECS = world.SPECS.replace("hashing: {features: 128}", "hashing: {features: 128}\n---\nENCODER").replace(
    "ENCODER", "encoder: tiny\nmodel: models/tiny\nmax_tokens: 24\nprecision: float32"
)


def text(how: str = "full") -> str:
    """The specs, the encoder tuned."""
    return SPECS.replace(
        "METHOD",
        f"encoder: tiny\n  tune: {TUNE.replace('HOW', how).replace('RATE', '0.003' if how == 'full' else '0.02')}",
    )


def project(root: Path, rows: list[Any]) -> Path:
    """A project with a tiny BERT that knows the words."""
    write(root, rows)
    words = [word for some in WORDS.values() for word in some]
    write_tiny_bert(root / "models" / "tiny", spread=0.05, words=[*words, *world.PLAIN])
    return root


def fitted(root: Path, *, how: str = "full", name: str = "mood", cut_off: int = CUT, **context: Any) -> Fitted:
    """Fit one version."""
    found = world.specs(root, text(how))
    return fit(
        found, name, cut_off, root, root / "data", replace(world.context(), **context), allow_suspicious=True
    )  # fmt: skip


def test_a_version_knows_nothing_after_its_cut_off_and_is_the_same_again(tmp_path: Path) -> None:
    rows = reviews(count=300)
    later = [
        replace(row, body="other " + row.body, mood=MOODS[number % 2]) if row.written > CUT else row
        for number, row in enumerate(rows)
    ]
    made = [
        fitted(project(tmp_path / name, some)).version for name, some in (("a", rows), ("b", rows[::-1]), ("c", later))
    ]
    assert made[0] == made[1] == made[2]
    assert set(made[0].files) == {
        "model.json",
        "config.json",
        "model.safetensors",
        "head.safetensors",
        "tokenizer.json",
    }
    again = fitted(tmp_path / "a")
    assert again.there
    assert again.version == made[0]
    assert not (folder_of(tmp_path / "a" / "data", "mood") / KEPT).exists()


def test_it_tells_later_texts_apart_and_says_how_it_goes(tmp_path: Path) -> None:
    """Labels are wrong one time in ten: nobody can do better than 0.9. What is told later texts are measured on is kept
    as a calibrated network, and told of as it is learned.
    """
    told: list[Event] = []
    root = project(tmp_path, reviews(count=700))
    version = fitted(root, cut_off=FIRST + 100 * DAY, reporter=told.append).version
    assert version.metrics["accuracy"] > max(0.75, version.metrics["baseline_accuracy"] + 0.1)
    assert version.metrics["calibration_error"] < 0.15
    steps = [each for each in told if isinstance(each, TuningStep)]
    assert steps[-1].done == steps[-1].total
    assert sum(each.later_loss is not None for each in steps) == 6  # 3 epochs to measure, and 3 of the version
    assert any(isinstance(each, ExamplesDrawn) for each in told)
    model, _ = read_content(root / "data", "mood", version.id)
    assert isinstance(model, Tuned)
    folder = folder_of(root / "data", "mood") / version.id
    unseen = reviews(5, 100)
    said = scores(folder, "mean", 24, [row.body for row in unseen]).argmax(axis=1)
    assert np.mean(said == np.array([MOODS.index(row.feels) for row in unseen])) > 0.8


def test_a_fit_that_was_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints outlive it, and go when the version is there; those of other rows go at once."""
    rows = reviews(count=200)
    whole = fitted(project(tmp_path / "whole", rows)).version
    root = project(tmp_path / "a", rows)
    kept = folder_of(root / "data", "mood") / KEPT
    save, calls = checkpoint.save, []

    def stop(*arguments: Any) -> None:
        save(*arguments)
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt

    (kept / "of other rows").mkdir(parents=True)
    monkeypatch.setattr(checkpoint, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        fitted(root)
    assert [len(list(each.glob("*.safetensors"))) for each in kept.iterdir()] == [1]
    assert not registered(root / "data", "mood")
    monkeypatch.setattr(checkpoint, "save", lambda *arguments: calls.append(arguments))
    assert fitted(root).version == whole
    assert len(calls) == 2 + 4  # one epoch of three to go, and three to measure
    assert not kept.exists()


def test_a_version_that_the_server_refuses_is_none(tmp_path: Path) -> None:
    """Nothing is registered, and what was learned is kept for the next try."""
    root = project(tmp_path, reviews(count=200))
    asked: list[EncoderModel] = []

    def refuse(model: EncoderModel) -> str:
        asked.append(model)
        raise TritonFailed("Triton refuses it: no memory")

    with pytest.raises(TritonFailed, match="no memory"):
        fitted(root, serve=refuse)
    assert not registered(root / "data", "mood")
    told: list[Event] = []
    version = fitted(root, serve=lambda _: "is served", reporter=told.append).version
    assert asked[0].name == f"mood.{version.id}"
    assert not any(isinstance(each, TuningStep) for each in told)  # it was learned already
    assert ModelServed("mood", version.id, "is served") in told
    (speaking,) = needed(world.specs(root, text()), root, root / "data")["mood"]
    assert replace(speaking, folder=asked[0].folder) == asked[0]
    later = version.model_copy(update={"cut_off": version.cut_off + DAY})
    register(root / "data", later, {name: speaking.folder / name for name in version.files})
    newest, older = needed(world.specs(root, text()), root, root / "data")["mood"]
    assert (newest.name, older) == (f"mood.{later.id}", speaking)
    assert newest.version != older.version


def test_one_class_and_no_rows_are_nothing_to_learn_from(tmp_path: Path) -> None:
    root = project(tmp_path, [replace(row, mood="positive") for row in reviews(count=50)])
    with pytest.raises(LimnerError, match=r"model mood: all \d+ texts are good, so there is nothing to tell apart"):
        fitted(root)
    with pytest.raises(LimnerError, match=r"no row of reviews that is known by 2025-12-31.* has a text and a label"):
        fitted(root, cut_off=FIRST - DAY)


def test_low_rank_needs_a_package_and_says_so_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path, reviews(count=20))
    monkeypatch.setattr(tuned, "find_spec", lambda name: None)
    with pytest.raises(LimnerError, match=r"needs the package peft: `pip install 'limner\[tune\]'`"):
        fitted(root, how="lora")


def test_rare_classes_weigh_as_much_as_frequent_ones() -> None:
    kind = world.load_texts({"specs.yaml": text()}).models["mood"].classifier
    assert kind is not None
    label = np.array([0] * 10 + [1] * 30)
    assert tuned._weights(kind, label) == (2.0, 2 / 3)
    assert tuned._weights(kind.model_copy(update={"weights": "none"}), label) == (1.0, 1.0)

"""Tuning an encoder: it learns, it goes on where it was killed, and it gives the same bytes whoever does it."""

import hashlib
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from limner.workers.models.tuning import checkpoint
from limner.workers.models.tuning.asking import cooled, scores
from limner.workers.models.tuning.job import Job
from limner.workers.models.tuning.loop import PATIENCE, tune
from limner.workers.models.tuning.network import FILES, HEAD, WEIGHTS
from limner.workers.models.tuning.schedule import batch_of, rate_at, steps_of
from tests.workers.models.tuning.world import encoder, job, labelled


def digests(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(folder.iterdir())}


def told(one: Job) -> list[dict[str, float]]:
    assert one.progress is not None
    return [json.loads(line) for line in one.progress.read_text().splitlines()]


@pytest.mark.parametrize("how", ["full", "lora"])
def test_it_tells_planted_moods_apart(tmp_path: Path, how: str) -> None:
    """Texts that it has not seen, in English and Chinese, are told apart; only data is written."""
    one = job(tmp_path, how)
    made = tune(one)
    assert {each.name for each in made.iterdir()} == {*FILES}
    unseen = labelled(100, 2)
    found = scores(made, "mean", 16, unseen.texts)
    assert np.mean(found.argmax(axis=1) == np.array(unseen.label)) > 0.95
    losses = [line["later_loss"] for line in told(one) if "later_loss" in line]
    assert losses[-1] < losses[0]
    assert tune(one) == made  # at once: it is there


def test_lora_changes_no_weight_but_those_it_is_merged_into(tmp_path: Path) -> None:
    """What is neither a linear layer nor the head stays to the bit; the files have the encoder's own names."""
    from safetensors.torch import load_file

    one = job(tmp_path, "lora", epochs=1)
    before, after = load_file(one.encoder / WEIGHTS), load_file(tune(one) / WEIGHTS)
    assert before.keys() == after.keys()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed == {name for name in before if name.endswith("dense.weight") or ".attention.self." in name} & {
        name for name in before if name.endswith("weight")
    }


def test_merged_additions_say_what_they_said_apart(tmp_path: Path) -> None:
    """Merging rounds, and does nothing else."""
    import torch

    from limner.workers.models.tuning import network
    from limner.workers.models.tuning.tokens import Tokens

    net = network.load(encoder(tmp_path / "encoder"), "mean", 2)
    network.adapt(net, 4)
    torch.manual_seed(1)
    for name, each in net.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(each, std=0.1)
    tokens = Tokens(tmp_path / "encoder", 16)
    ids, mask = map(torch.from_numpy, tokens.filled(tokens(labelled(20).texts)))
    with torch.no_grad():
        apart = net.eval()(ids, mask)
        assert torch.allclose(network.merged(net)(ids, mask), apart, atol=1e-5)


def test_a_killed_training_goes_on_and_gives_the_same_bytes(tmp_path: Path) -> None:
    """Killed with SIGKILL after a checkpoint amid an epoch: what is learned then is what would have been learned."""
    one = replace(job(tmp_path, epochs=3), checkpoint_s=0.0)
    whole = digests(tune(replace(one, folder=tmp_path / "whole", checkpoint_s=1e9)))
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path; from dataclasses import replace\n"
        "from tests.workers.models.tuning.world import job; from limner.workers.models.tuning import checkpoint, loop\n"
        "save = checkpoint.save\n"
        "def kill(folder, progress, *rest):\n"
        "    save(folder, progress, *rest)\n"
        "    if progress.step == 22: os.kill(os.getpid(), signal.SIGKILL)\n"
        "checkpoint.save = kill\n"
        "loop.tune(replace(job(Path(sys.argv[1]), epochs=3), checkpoint_s=0.0))\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parents[4])]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    assert not one.done
    before = len(told(one))
    assert digests(tune(one)) == whole
    assert [line["step"] for line in told(one)[before:] if "later_loss" in line] == [30, 45]  # no epoch is done again
    assert not list(one.folder.glob("*.safetensors"))  # the checkpoint is gone


def test_so_does_one_of_low_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checkpoints hold what learns, and not the encoder."""
    one = replace(job(tmp_path, "lora", epochs=2), checkpoint_s=0.0)
    whole = digests(tune(replace(one, folder=tmp_path / "whole", checkpoint_s=1e9)))
    save = checkpoint.save

    def stop(folder: Path, progress: checkpoint.Progress, *rest: Any) -> None:
        save(folder, progress, *rest)
        if progress.step == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        tune(one)
    monkeypatch.setattr(checkpoint, "save", save)
    (kept,) = one.folder.glob("*.safetensors")
    with safe_open(kept, "pt") as file:
        assert {name for name in file.keys() if name.startswith("net.")} > {"net.head.weight"}  # noqa: SIM118
        assert all("lora" in name or "head" in name for name in file.keys())  # noqa: SIM118
    assert digests(tune(one)) == whole


def test_it_stops_where_later_texts_get_worse(tmp_path: Path) -> None:
    """The epoch counts after which they were most likely, and few more are begun."""
    late = labelled(80, 1)
    one = replace(
        job(tmp_path, epochs=12), late=replace(late, label=tuple(1 - each for each in late.label))
    )  # what is learned is wrong of them: the first epoch is the best
    made = tune(one)
    losses = [line["later_loss"] for line in told(one) if "later_loss" in line]
    assert len(losses) <= losses.index(min(losses)) + 1 + PATIENCE < 12
    first = tune(replace(one, epochs=12, late=late, folder=tmp_path / "b"))
    assert digests(made)[WEIGHTS] != digests(first)[WEIGHTS]


def test_checkpoints_keep_everything(tmp_path: Path) -> None:
    """Weights, moments, what was best, and where it stands."""
    import torch

    parameter = torch.nn.Parameter(torch.arange(4.0))
    optimizer = torch.optim.AdamW([parameter], lr=0.1)
    parameter.grad = torch.ones(4)
    optimizer.step()
    said = checkpoint.Progress(step=7, least=0.25, worse=1, ended=True)
    checkpoint.save(tmp_path, said, {"x": parameter}, optimizer, {"x": torch.zeros(4)})
    other = torch.nn.Parameter(torch.zeros(4))
    again, best = torch.optim.AdamW([other], lr=0.1), dict[str, torch.Tensor]()
    assert checkpoint.load(tmp_path, {"x": other}, again, best) == said
    assert torch.equal(other, parameter)
    assert torch.equal(best["x"], torch.zeros(4))
    kept, there = again.state[other], optimizer.state[parameter]
    assert all(torch.equal(kept[key], there[key]) for key in ("step", "exp_avg", "exp_avg_sq"))


def test_a_job_is_the_same_work_wherever_it_is_kept(tmp_path: Path) -> None:
    """Neither its place nor one or two workers decide what is learned; more workers, texts and keys do."""
    one = job(tmp_path)
    assert one.key == replace(one, folder=tmp_path / "b", workers=2, checkpoint_s=1.0, encoder=tmp_path).key
    others = [{"workers": 3}, {"seed": 1}, {"rate": 0.1}, {"early": labelled(239)}, {"late": None}, {"how": "lora"}]
    assert one.key not in {replace(one, **each).key for each in others}  # type: ignore[arg-type]


def test_each_text_is_learned_from_once_an_epoch() -> None:
    """In an order of each epoch's own, in steps of nearly equal size; the rate rises and falls to nothing."""
    steps = steps_of(103, 16)
    epochs = [[batch_of(103, 16, 0, epoch * steps + each) for each in range(steps)] for epoch in range(2)]
    for epoch in epochs:
        assert sorted(np.concatenate(epoch).tolist()) == [*range(103)]
        assert {len(each) for each in epoch} == {14, 15}
    assert np.concatenate(epochs[0]).tolist() != np.concatenate(epochs[1]).tolist()
    rates = [rate_at(step, 100, 1.0) for step in range(100)]
    assert max(rates) == rates[9] == 1.0
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.02


def test_a_cooled_head_divides_scores(tmp_path: Path) -> None:
    """Its file has what the temperature leaves of the scores."""
    made = tune(job(tmp_path, epochs=1))
    before = scores(made, "mean", 16, labelled(10).texts)
    (made / HEAD).write_bytes(cooled(made, 4.0))
    assert np.allclose(scores(made, "mean", 16, labelled(10).texts), before / 4.0, atol=1e-6)

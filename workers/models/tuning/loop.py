"""The training itself: one function for one worker or several, which goes on where a checkpoint was kept.

AdamW (I. Loshchilov and F. Hutter, 2019), a rate that warms up and then falls, gradients of length 1 at most.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from limner.workers.derive.values import Array
from limner.workers.models.tuning import checkpoint, network
from limner.workers.models.tuning.alone import alone
from limner.workers.models.tuning.job import MADE, Job, Labelled
from limner.workers.models.tuning.schedule import batch_of, chance_of, rate_at, steps_of
from limner.workers.models.tuning.tokens import Tokens

PATIENCE = 2  # epochs that may be worse than the best
LONGEST = 1.0  # of the gradients
DECAY = 0.01
LOOKED_AT = 64  # texts at a time, when they are only asked about
TOLD_S = 1.0


def tune(job: Job, rank: int = 0) -> Path:
    """Learn, or go on learning; returns the folder of the network's files. `rank`: which of the workers this is.

    Several workers have joined torch's process group before. The same job gives the same bytes, however often it was
    killed in between, on one kind of processor.
    """
    made = job.folder / MADE
    if job.done:
        return made
    job.folder.mkdir(parents=True, exist_ok=True)
    with alone(job.seed) as device:
        training = _Training(job, rank, device)
        training.run()
        if rank == 0:
            training.keep(made)
        training.meet()
    return made


@dataclass
class _Rows:
    tokens: list[list[int]]
    label: torch.Tensor


@dataclass
class _Training:
    job: Job
    rank: int
    device: torch.device
    best: checkpoint.Tensors = field(default_factory=dict)

    def __post_init__(self) -> None:
        job = self.job
        self.net = network.load(job.encoder, job.pooling, len(job.weights))
        if job.how == "lora":
            network.adapt(self.net, job.rank)
        self.net.to(self.device)
        self.learning = {name: each for name, each in self.net.named_parameters() if each.requires_grad}
        matrices = [each for each in self.learning.values() if each.dim() > 1]
        others = [each for each in self.learning.values() if each.dim() < 2]
        groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=job.rate, foreach=False)
        self.done = checkpoint.load(job.folder, self.learning, self.optimizer, self.best)
        self.tokens = Tokens(job.encoder, job.max_tokens)
        self.early = self._rows(job.early)
        self.late = None if job.late is None else self._rows(job.late)
        self.weights = torch.tensor(job.weights, dtype=torch.float32, device=self.device)
        self.steps = steps_of(len(job.early.texts), job.batch)
        self.model: Callable[..., Any] = self.net
        if job.workers > 1:
            places = [self.device.index] if self.device.type == "cuda" else None
            self.model = torch.nn.parallel.DistributedDataParallel(
                self.net, device_ids=places, broadcast_buffers=False, find_unused_parameters=True
            )

    def run(self) -> None:
        """All steps that are left."""
        total, done = self.steps * self.job.epochs, self.done
        kept = told = time.monotonic()
        while done.step < total and not done.ended:
            loss = self._step(total)
            done.step += 1
            end = done.step % self.steps == 0
            said = self._look() if end else {}
            now = time.monotonic()
            if self.rank == 0 and (end or now - kept > self.job.checkpoint_s):
                checkpoint.save(self.job.folder, done, self.learning, self.optimizer, self.best)
                kept = now
            if end or now - told > TOLD_S:
                self._tell(total, {"loss": loss, **said})
                told = now

    def keep(self, made: Path) -> None:
        """Write the files of the best network."""
        with torch.no_grad():
            for name, tensor in self.best.items():
                self.learning[name].copy_(tensor)
        stage = made.with_name(f".{made.name}.{uuid.uuid4().hex}.tmp")
        stage.mkdir()
        network.write(network.merged(self.net.eval()), self.job.encoder, stage)
        try:
            stage.rename(made)
        except OSError:
            if not self.job.done:  # a worker whose run was killed may end a moment after it, with the same bytes
                raise
            shutil.rmtree(stage, ignore_errors=True)
        checkpoint.remove(self.job.folder)

    def meet(self) -> None:
        """Wait for the other workers."""
        if self.job.workers > 1:
            torch.distributed.barrier()

    def _rows(self, labelled: Labelled) -> _Rows:
        return _Rows(self.tokens(labelled.texts), torch.tensor(labelled.label))

    def _step(self, total: int) -> float:
        job, step = self.job, self.done.step
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(step, total, job.rate)
        self.net.train()
        self.optimizer.zero_grad()
        places = batch_of(len(job.early.texts), job.batch, job.seed, step)
        weight = self.weights.cpu()[self.early.label[places]].double().sum()
        loss = 0.0
        for part in range(self.rank, job.parts, job.workers):
            torch.manual_seed(chance_of(job.seed, step, part))
            mine = places[part :: job.parts]
            label = self.early.label[mine].to(self.device)
            scores = self._scores(self.model, [self.early.tokens[each] for each in mine])
            losses = torch.nn.functional.cross_entropy(scores, label, reduction="none") * self.weights[label]
            found = losses.sum() / float(weight)
            # Workers add up their gradients and divide them by their number.
            (found * job.workers).backward()  # type: ignore[no-untyped-call]
            loss += float(found.detach())
        torch.nn.utils.clip_grad_norm_(list(self.learning.values()), LONGEST, foreach=False)
        self.optimizer.step()
        return loss * job.workers  # as much as the others' parts are of it, on average

    def _scores(self, model: Callable[..., Any], rows: list[list[int]]) -> torch.Tensor:
        ids, mask = (torch.from_numpy(each).to(self.device) for each in self.tokens.filled(rows))
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            scores: torch.Tensor = model(ids, mask)
        return scores.float()

    def _look(self) -> dict[str, float]:
        """After an epoch: is this the best one yet, and is it enough?"""
        done = self.done
        if self.late is None:
            return {}
        losses, right = self._asked(self.late)
        now = float(losses.mean())
        if done.least is None or now < done.least:
            done.least, done.worse = now, 0
            self.best = {name: each.detach().cpu().clone() for name, each in self.learning.items()}
        else:
            done.worse += 1
            done.ended = done.worse >= PATIENCE
        return {"later_loss": now, "accuracy": float(right.mean())}

    def _asked(self, rows: _Rows) -> tuple[Array, Array]:
        """[texts] -ln of the true class's probability, and whether it is the likeliest; workers share the texts."""
        found = torch.zeros((2, len(rows.tokens)), dtype=torch.float64)
        order = np.argsort([len(each) for each in rows.tokens], kind="stable")
        batches = [order[begin : begin + LOOKED_AT] for begin in range(0, len(order), LOOKED_AT)]
        self.net.eval()
        with torch.no_grad():
            for batch in batches[self.rank :: self.job.workers]:
                scores = self._scores(self.net, [rows.tokens[each] for each in batch]).cpu().double()
                label = rows.label[batch]
                found[0, batch] = torch.nn.functional.cross_entropy(scores, label, reduction="none")
                found[1, batch] = (scores.argmax(1) == label).double()
        if self.job.workers > 1:
            found = found.to(self.device)
            torch.distributed.all_reduce(found)  # each text is asked about by one worker: the others add 0
        losses, right = found.cpu().numpy()
        return losses, right

    def _tell(self, total: int, said: dict[str, float]) -> None:
        if self.rank == 0 and self.job.progress is not None:
            line = {
                "name": self.job.name,
                "texts": len(self.job.early.texts),
                "step": self.done.step,
                "steps": total,
                "epoch": self._epoch(),
                **said,
            }
            with self.job.progress.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _epoch(self) -> int:
        return -(-self.done.step // self.steps)

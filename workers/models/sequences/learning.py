"""Learning a network of what follows what, with torch; what it learned are arrays for `network`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from limner.workers.alone import alone
from limner.workers.models.sequences.events import Events, Following
from limner.workers.models.sequences.modules import Arrays, Reads, network
from limner.workers.models.sequences.vocabulary import NONE, OTHER, START, gaps
from limner.workers.windows.column import Ints
from limner.workers.windows.spans import expand

BATCH = 32  # stretches of `length` rows
RATE = 0.005
PATIENCE = 2  # epochs in which later rows are foretold no better


@dataclass(frozen=True)
class Learning:
    """Arrays as `network.Weights`, how many epochs they took, and how many there were."""

    arrays: Arrays
    epochs: int
    tried: int


@dataclass(frozen=True)
class _Stretches:
    """Rows of entities cut into stretches of at most `length`, and what follows them."""

    read: Ints  # [stretches, length, what is read]
    begin: Ints  # [stretches + 1] where in `follows` a stretch begins
    place: Ints  # [follows] which row of its stretch is followed
    follows: Following


def learn(
    events: Events, reads: Reads, follows: Following, later: Following | None, epochs: int, seed: int
) -> Learning:
    """Learn from what follows; stop where `later` is foretold no better, or else after `epochs`."""
    import torch

    with alone(seed):
        net = network(reads)
        early = _stretches(events, reads, follows)
        late = None if later is None else _stretches(events, reads, later)
        optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
        chance = np.random.default_rng(seed)
        best, least, at, epoch = net.arrays(), np.inf, 0, 0
        for epoch in range(1, epochs + 1):
            net.train()
            order = chance.permutation(len(early.read))
            for begin in range(0, len(order), BATCH):
                optimizer.zero_grad()
                loss, _ = _loss(net, early, np.sort(order[begin : begin + BATCH]))
                loss.backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
            now = -float(epoch) if late is None else _mean_loss(net, late)
            if now < least:
                best, least, at = net.arrays(), now, epoch
            elif epoch - at >= PATIENCE:
                break
    return Learning(best, at, epoch)


def _stretches(events: Events, reads: Reads, follows: Following) -> _Stretches:
    """Only those that something follows; each begins anew, as a window does."""
    within = np.arange(len(events)) - events.first
    fresh = within % reads.length == 0
    number = np.cumsum(fresh) - 1
    of = number[follows.row]
    some, local = np.unique(of, return_inverse=True)
    begin = np.flatnonzero(fresh)[some]
    size = np.diff(np.append(np.flatnonzero(fresh), len(events)))[some]
    row, owner = expand(begin, size)
    place = row - begin[owner]
    read = np.full((len(some), reads.length, reads.rows.shape[1] + 1), NONE)
    read[owner, place, :-1] = reads.rows[row]
    after = gaps(np.maximum(events.time[row] - events.time[np.maximum(row - 1, 0)], 0))
    read[owner, place, -1] = np.where(place == 0, START, after)
    ends = np.searchsorted(local, np.arange(len(some) + 1))
    return _Stretches(read, ends, within[follows.row] % reads.length, follows)


def _loss(net: Any, stretches: _Stretches, chosen: Ints) -> tuple[Any, int]:
    """How little was expected of what follows the rows of some stretches, in the mean, and how many those are."""
    import torch

    begin = stretches.begin
    mine, owner = expand(begin[chosen], begin[chosen + 1] - begin[chosen])
    follows = stretches.follows.of(mine)
    states = net(torch.from_numpy(stretches.read[chosen]))
    asked = states[torch.from_numpy(owner), torch.from_numpy(stretches.place[mine])]
    expected = torch.log_softmax(net.out(net.drop(asked)), dim=1)
    share = torch.from_numpy((1.0 / follows.count)[follows.owner].astype(np.float32))
    found = expected[torch.from_numpy(follows.owner), torch.from_numpy(follows.item - OTHER)]
    return -(found * share).sum() / len(mine), len(mine)


def _mean_loss(net: Any, stretches: _Stretches) -> float:
    import torch

    net.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for begin in range(0, len(stretches.read), 256):
            loss, size = _loss(net, stretches, np.arange(begin, min(begin + 256, len(stretches.read))))
            total, count = total + float(loss) * size, count + size
    return total / max(count, 1)

"""What a version says of one entity at one instant, in the plainest Python: one number at a time."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.numpy import load

from limner.workers.models.versions import folder_of
from tests.workers.models.sequences.chains import DAY, Visit

UNIT = 2.0**14


def _near(x: float) -> float:
    return float(round(x * UNIT)) / UNIT  # Python rounds halves to even, as IEEE 754 does


def _step(x: float) -> float:
    return min(12.0, max(-12.0, round(x * 1024) / 1024))


def _sigmoid(x: float) -> float:
    return _near(1.0 / (1.0 + math.exp(-_step(x))))


def _tanh(x: float) -> float:
    return _near(math.tanh(_step(x)))


class Plain:
    """A version, read from its files."""

    def __init__(self, root: Path, version: str) -> None:
        folder = folder_of(root / "data", "habits") / version
        self.content = json.loads((folder / "model.json").read_text())
        self.arrays = {
            name: each.astype(float).tolist()
            for name, each in load((folder / "arrays.safetensors").read_bytes()).items()
        }

    def rows(self, visits: Sequence[Visit], at: int, days: int) -> list[Visit]:
        """The rows it reads, oldest first."""
        known = [each for each in visits if each.at < at and each.written <= at and each.at >= at - days * DAY]
        known = [each for each in known if each.amount > 0 and each.category is not None]
        return sorted(known, key=lambda each: (each.at, each.written))[-self.content["length"] :]

    def state(self, rows: Sequence[Visit]) -> list[float] | None:
        """The state of the network after some rows."""
        if not rows:
            return None
        dim, arrays = self.content["dim"], self.arrays
        state = [0.0] * dim
        before = None
        for row in rows:
            read = [_word(self.content["words"][0], row.category), _word(self.content["words"][1], row.channel)]
            read.append(_gap(None if before is None else row.at - before))
            given = [sum(arrays[f"read_{k}"][place][i] for k, place in enumerate(read)) for i in range(3 * dim)]
            kept = [math.fsum(state[j] * arrays["state"][j][i] for j in range(dim)) for i in range(3 * dim)]
            after = []
            for i in range(dim):
                r, z = _sigmoid(given[i] + kept[i]), _sigmoid(given[dim + i] + kept[dim + i])
                n = _tanh(given[2 * dim + i] + r * (kept[2 * dim + i] + arrays["new"][i]))
                after.append(_near(n + z * (state[i] - n)))
            state, before = after, row.at
        return state

    def next(self, state: Sequence[float] | None, k: int) -> dict[str, float]:
        """The likeliest items and their probabilities."""
        if state is None:
            return {}
        arrays = self.arrays
        scores = [
            math.fsum([state[j] * arrays["out"][j][i] for j in range(len(state))] + [bias])
            for i, bias in enumerate(arrays["out_bias"])
        ]
        parts = [math.exp(score - max(scores)) for score in scores]
        pairs = sorted(zip(parts[1:], self.content["words"][0], strict=True), key=lambda pair: -pair[0])[:k]
        return {item: part / sum(parts) for part, item in pairs}


def _word(words: Sequence[str], text: str | None) -> int:
    return 0 if text is None else words.index(text) + 2 if text in words else 1


def _gap(micros: int | None) -> int:
    if micros is None:
        return 0
    return 1 if micros == 0 else 2 + min(20, (micros // 60_000_000).bit_length())


def plain_transformer(arrays: Mapping[str, Any], rows: Sequence[Sequence[int]]) -> list[float]:
    """The state after some rows [rows, what is read] of a Transformer."""
    found = {name: each.astype(float).tolist() for name, each in arrays.items()}
    dim = len(found["ask"])

    def times(vector: Sequence[float], name: str) -> list[float]:
        matrix, bias = found[name], found[f"{name}_bias"]
        return [
            math.fsum([v * row[i] for v, row in zip(vector, matrix, strict=True)] + [b]) for i, b in enumerate(bias)
        ]

    def clip(vector: Sequence[float]) -> list[float]:
        return [min(64.0, max(-64.0, _near(each))) for each in vector]

    def norm(vector: Sequence[float]) -> list[float]:
        mean = math.fsum(vector) / dim
        centered = [_near(each - mean) for each in vector]
        spread = math.sqrt(math.fsum(each * each for each in centered) / dim + 1e-5)
        return [_near(each / spread) for each in centered]

    x = [
        clip(
            [
                math.fsum([*(found[f"read_{k}"][w][i] for k, w in enumerate(row)), found["place"][place][i]])
                for i in range(dim)
            ]
        )
        for place, row in enumerate(rows)
    ]
    asked = clip(times(norm(x[-1]), "ask"))
    keys, values = ([clip(times(norm(each), name)) for each in x] for name in ("key", "value"))
    scores = [math.fsum(a * b for a, b in zip(key, asked, strict=True)) for key in keys]
    share = _softmax(scores)
    share = [round(each * 2.0**26) / 2.0**26 for each in share]
    seen = clip([math.fsum(s * value[i] for s, value in zip(share, values, strict=True)) for i in range(dim)])
    y = clip([a + b for a, b in zip(x[-1], times(seen, "mix"), strict=True)])
    wide = clip([max(each, 0.0) for each in times(norm(y), "wide")])
    return norm(clip([a + b for a, b in zip(y, times(wide, "back"), strict=True)]))


def _softmax(scores: Sequence[float]) -> list[float]:
    """In the numbers in which it is computed: exp(-x) as exp(-x to 1/1024) times 1 - rest + rest^2 / 2."""
    parts = []
    for score in scores:
        below = min(32.0, max(scores) - score)
        step = round(below * 1024) / 1024
        rest = below - step
        parts.append(round(math.exp(-step) * (1.0 - rest + rest * rest * 0.5) * 2.0**40))
    return [part / sum(parts) for part in parts]


def same(found: dict[str, Any], plain: Plain, visits: Sequence[Visit], at: int) -> bool:
    """Hold a row of the history against plain code; whether it has a state."""
    mine = [each for each in visits if each.user == found["user_id"]]
    state = plain.state(plain.rows(mine, at, 30))
    assert found["state"] == state
    likely = plain.next(state, 3)
    assert dict(found["likely"]).keys() == likely.keys()
    for item, probability in found["likely"]:
        assert abs(probability - likely[item]) < 1e-9
    return state is not None

"""The costs of a plan in words: the same lines in a terminal and in Markdown."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from limner.cli import output

if TYPE_CHECKING:
    from limner.feature_repo.costs import TextCost, ViewCost
    from limner.workers.costs.amount import Amount


def lines(cost: "ViewCost") -> Iterator[str]:
    """What a view (or all of them) costs, a line for each of: input, time, room, rates."""
    work = [f"reads {number(cost.rows, 'rows')}", *(_texts(each) for each in cost.texts)]
    yield "; ".join(work)
    if cost.reading.value is None and cost.history_bytes.value is None:
        yield f"time and room unknown: {cost.reading.note}"
        return
    time = f"takes {duration(cost.seconds)}"
    if cost.seconds.value is None and cost.reading.value is not None:
        time = f"takes {duration(cost.reading)}, and for encoding unknown ({cost.seconds.note})"
    elif cost.texts and cost.seconds.value is not None:
        time += f", {number(cost.gpu_seconds, 'GPU-seconds')} of them"
    room = f"{volume(cost.history_bytes)} of history, {volume(cost.online_bytes)} online"
    yield f"{time}; stores {room}"
    if cost.rates:
        yield f"at {'; '.join(cost.rates)}"


def _texts(cost: "TextCost") -> str:
    if cost.missing.value is None:
        return f"{cost.encoder}: texts to encode unknown ({cost.missing.note})"
    of = "" if cost.distinct.value is None else f" of {number(cost.distinct, 'distinct')}"
    if not cost.missing.value:
        return f"{cost.encoder}: all {number(cost.distinct, 'distinct texts')} have their vectors"
    sampled = f" ({cost.missing.note})" if cost.missing.note else ""
    tokens = "" if cost.tokens.value is None else f", {number(cost.tokens, 'tokens')}"
    return f"encodes {number(cost.missing, '')}{of} texts with {cost.encoder}{tokens}{sampled}"


def number(amount: "Amount", unit: str) -> str:
    """Render a count: 1,204 rows, about 1,200 rows."""
    if amount.value is None:
        return f"{unit} unknown ({amount.note})".strip()
    value = _rounded(amount.value) if amount.about else amount.value
    return f"{'about ' if amount.about else ''}{value:,.0f} {unit}".strip()


def duration(amount: "Amount") -> str:
    """Render seconds: about 41 s, about 12 min, about 3.5 h."""
    if amount.value is None:
        return f"unknown ({amount.note})"
    found = amount.value
    size, unit = next(((size, unit) for size, unit in ((3600, "h"), (60, "min")) if found >= 2 * size), (1, "s"))
    value = found / size
    return f"about {value:.0f} {unit}" if value >= 10 else f"about {value:.2g} {unit}"


def volume(amount: "Amount") -> str:
    """Render bytes."""
    if amount.value is None:
        return f"unknown ({amount.note})"
    return ("about " if amount.about else "") + output.size(amount.value)


def _rounded(value: float) -> float:
    """Three digits: more would promise too much."""
    digits = len(str(int(value))) - 3
    return float(round(value, -digits)) if digits > 0 else value

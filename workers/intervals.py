"""Which part of the asked interval must be computed, given what a history covers already. Pure."""

from dataclasses import dataclass

from limner.workers.history.manifest import STREAM, Manifest


@dataclass(frozen=True)
class Interval:
    """(start, end] to compute, µs; `base`: with the values at `start` itself, since nothing precedes it."""

    start: int
    end: int
    base: bool
    reasons: tuple[str, ...]


def missing(manifest: Manifest, start: int, end: int, inputs: str | None) -> Interval | None:
    """What to compute so that (start, end] is covered by rows made from these inputs; None: it is already.

    The coverage of a history has no gaps: an interval beside it is widened until they touch. What was computed
    from other inputs (a file came or changed) is computed again; inputs that cannot be told apart (None: a
    database table, or texts that failed to be encoded) are never taken for equal.
    """
    coverage = manifest.coverage
    if coverage is None:
        return Interval(start, end, base=True, reasons=("nothing is computed yet",))
    begin, until = coverage
    reasons = []
    low, high = end, start  # nothing
    if start < begin:
        reasons.append("begins before the history")
        low, high = start, max(high, begin)
    if end > until:
        reasons.append("goes on after the history")
        low, high = min(low, until), end
    for segment in manifest.segments:
        overlap = max(segment.after, start), min(segment.until, end)
        if overlap[0] < overlap[1] and (inputs is None or segment.inputs != inputs):
            reasons.append(_why(segment.inputs, inputs))
            low, high = min(low, overlap[0]), max(high, overlap[1])
    if low >= high:
        return None
    return Interval(low, high, base=low <= begin, reasons=tuple(dict.fromkeys(reasons)))


def replaces(manifest: Manifest, interval: Interval) -> bool:
    """Whether rows of earlier runs give way: then the newest row of an entity may be older than the one before.

    Of rows that a stream worker wrote a comparison says whether any differs.
    """
    return any(
        max(each.after, interval.start) < min(each.until, interval.end)
        for each in manifest.segments
        if each.inputs != STREAM
    )


def _why(before: str | None, now: str | None) -> str:
    if now is None:
        return "the source cannot tell whether it changed"
    return "some of its texts had failed" if before is None else "source changed"

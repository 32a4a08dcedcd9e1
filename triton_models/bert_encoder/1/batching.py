"""How texts become micro-batches: pure functions of token counts, tested without a model or a server."""

from collections.abc import Iterator, Sequence

ROW_BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
# One more launch costs about as much as twenty more tokens (measured on 2 cores).
LAUNCH_COST = 20


def length_bucket(tokens: int) -> int:
    """Round up the padded length in tokens: steps of 4 to 64, of 8 to 128, of 16 to 256, of 32 beyond."""
    for limit, step in ((64, 4), (128, 8), (256, 16)):
        if tokens <= limit:
            return max(4, -(-tokens // step) * step)
    return -(-tokens // 32) * 32


def shapes(max_tokens: int, budget: int) -> Iterator[tuple[int, int]]:
    """Yield each (rows, length) that `cut_bucketed` can produce, shortest first."""
    for length in sorted({length_bucket(tokens) for tokens in range(1, max_tokens + 1)}):
        for rows in ROW_BUCKETS:
            if rows == 1 or rows * length <= budget:
                yield rows, length


def cut_bucketed(lengths: Sequence[int], budget: int, streams: int) -> list[int]:
    """Cut texts, longest first, into micro-batches: their row counts, each from ROW_BUCKETS.

    Minimizes padded tokens plus a fixed cost per launch (dynamic programming from the end). A small request
    is cut finer, so that every stream has work.
    """
    padded = [length_bucket(length) for length in lengths]
    count = len(padded)
    cap = min(budget, max(64, sum(lengths) // streams))
    cost = [0] * (count + 1)
    pick = [1] * count
    for start in range(count - 1, -1, -1):
        cost[start] = padded[start] + LAUNCH_COST + cost[start + 1]
        for rows in ROW_BUCKETS[1:]:
            if start + rows > count or rows * padded[start] > cap:
                break
            candidate = rows * padded[start] + LAUNCH_COST + cost[start + rows]
            if candidate < cost[start]:
                cost[start], pick[start] = candidate, rows
    cuts = []
    position = 0
    while position < count:
        cuts.append(pick[position])
        position += pick[position]
    return cuts


def cut_by_budget(lengths: Sequence[int], budget: int) -> list[int]:
    """Cut texts, longest first, into as few batches as keep longest times rows in `budget` tokens."""
    cuts = []
    position = 0
    while position < len(lengths):
        rows = max(1, min(len(lengths) - position, budget // length_bucket(lengths[position])))
        cuts.append(rows)
        position += rows
    return cuts

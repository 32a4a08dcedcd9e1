"""How texts are cut into requests: one pure function."""

from collections.abc import Sequence

# Fewer rows a request cost more in calls than they gain in overlap.
LEAST_ROWS = 64


def cut_requests(chars: Sequence[int], rows: int, limit: int, in_flight: int) -> list[range]:
    """Cut texts of these lengths (characters), in order, into requests.

    A request has at most `rows` texts and `limit` characters (one longer text goes alone). Few texts are
    spread over `in_flight` requests, but not below 64 rows each.
    """
    spread = -(-len(chars) // in_flight)
    most = max(1, min(rows, max(LEAST_ROWS, spread)))
    requests = []
    start = 0
    while start < len(chars):
        stop, total = start, 0
        while stop < len(chars) and stop - start < most and (stop == start or total + chars[stop] <= limit):
            total += chars[stop]
            stop += 1
        requests.append(range(start, stop))
        start = stop
    return requests

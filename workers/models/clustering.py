"""Finding groups among scaled rows: points to draw segments around. One function a method."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from limner.language.errors import LimnerError
from limner.language.learning import Segments
from limner.workers.derive.values import Array
from limner.workers.models.segmentation import assigned, nearest

MINI = 50_000
"""From so many rows on, mini-batches of them."""
DENSE = 10_000
"""hdbscan looks at so many rows at most: its time grows with their square."""
CORES = 1_000
"""So many points at most draw the segments of hdbscan."""


@dataclass(frozen=True)
class Clusters:
    """Points [points, places], the cluster of each, and how far each cluster reaches (inf: everywhere)."""

    points: Array
    of: Array
    reach: Array
    metrics: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def assigned(self, rows: Array) -> Array:
        """[rows] the cluster of each scaled row; -1: none."""
        return assigned(rows, self.points, self.of, self.reach)[0]


def kmeans(rows: Array, some: Array, learns: Segments, seed: int) -> Clusters:
    """scikit-learn's KMeans (MiniBatchKMeans of MINI rows and more), for the number of segments that suits best.

    That is the one with the greatest mean silhouette of the rows `some`, the least of equally good ones.
    LimnerError where fewer rows differ than there are to be segments.
    """
    differ = len(np.unique(rows, axis=0))
    ks = [k for k in learns.ks if k <= differ]
    if not ks:
        raise LimnerError(
            f"{differ} entities differ in what segments are drawn by, and {learns.ks[0]} segments at least are asked "
            "for: ask for fewer, take more features, or choose a later cut-off"
        )
    found: dict[int, tuple[float, Array]] = {}
    for k in ks:
        centers = _centers(rows, k, seed)
        found[k] = silhouette(rows[some], nearest(rows[some], centers)[0]), centers
    best = max(ks, key=lambda k: (found[k][0], -k))
    score, centers = found[best]
    metrics = {"silhouette": score, "segments": float(len(centers))}
    if len(ks) > 1:
        metrics |= {f"silhouette_of_{k}": found[k][0] for k in ks}
    return Clusters(centers, np.arange(len(centers)), np.full(len(centers), np.inf), metrics)


def _centers(rows: Array, k: int, seed: int) -> Array:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if len(rows) < MINI:
        model = KMeans(k, n_init=10, tol=1e-6, random_state=seed)
    else:
        model = MiniBatchKMeans(k, n_init=10, batch_size=4096, max_no_improvement=50, random_state=seed)
    centers = np.unique(model.fit(rows).cluster_centers_, axis=0)
    taken = np.unique(nearest(rows, centers)[0])
    return np.asarray(centers[taken] + 0.0, np.float64)


def hdbscan(rows: Array, some: Array, learns: Segments, seed: int) -> Clusters:
    """scikit-learn's HDBSCAN. A cluster's points are its core members: those whose membership is at least one half.

    It reaches so far that all its members, and each core member but for itself, are within reach of a core member.
    LimnerError where no group is dense.
    """
    from sklearn.cluster import HDBSCAN

    least = learns.least if learns.least is not None else max(5, round(len(rows) / 50))
    if len(rows) < 2 * least:
        raise LimnerError(f"{len(rows):,} entities make no two segments of {least} at least: choose a lesser `least`")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = HDBSCAN(min_cluster_size=least, copy=True).fit(rows)
    label, certain = model.labels_, model.probabilities_ >= 0.5
    if label.max(initial=-1) < 0:
        raise LimnerError(
            f"no {least} entities or more lie close together: choose a lesser `least`, other features, or kmeans"
        )
    chosen = [np.flatnonzero((label == each) & certain) for each in range(label.max() + 1)]
    share = min(1.0, CORES / sum(map(len, chosen)))
    chosen = [each[_spread(len(each), share)] for each in chosen]
    reach = [_reach(rows[label == each], rows[chosen[each]]) for each in range(len(chosen))]
    of = np.repeat(np.arange(len(chosen)), [len(each) for each in chosen])
    metrics = {"segments": float(len(chosen)), "in_none": float((label < 0).mean())}
    inside = some[label[some] >= 0]
    metrics["silhouette"] = silhouette(rows[inside], label[inside])
    return Clusters(rows[np.concatenate(chosen)], of, np.array(reach), metrics)


def _spread(count: int, share: float) -> Array:
    """So large a share of `count` places, evenly spread, one at least."""
    return np.unique(np.linspace(0, count - 1, max(1, int(count * share))).round().astype(np.int64))


def _reach(members: Array, cores: Array) -> float:
    among = 0.0
    for place in range(len(cores) if len(cores) > 1 else 0):
        _, distance = nearest(cores[place : place + 1], np.delete(cores, place, axis=0))
        among = max(among, float(distance[0]))
    return max(among, float(nearest(members, cores)[1].max()))


def silhouette(rows: Array, label: Array) -> float:
    """The mean silhouette (P. Rousseeuw, 1987); -1 where there is one group alone, or each row is one."""
    from sklearn.metrics import silhouette_score

    groups = len(np.unique(label))
    return float(silhouette_score(rows, label)) if 1 < groups < len(rows) else -1.0


METHODS: dict[str, Callable[[Array, Array, Segments, int], Clusters]] = {"kmeans": kmeans, "hdbscan": hdbscan}


def largest_first(clusters: Clusters, sizes: Sequence[int]) -> Clusters:
    """The same clusters, the largest first, of equally large ones that with the least first point."""
    first = [tuple(clusters.points[np.flatnonzero(clusters.of == each)[0]].tolist()) for each in range(len(sizes))]
    order = sorted(range(len(sizes)), key=lambda each: (-sizes[each], first[each]))
    rank = np.argsort(np.array(order))
    places = np.argsort(rank[clusters.of], kind="stable")
    return Clusters(
        clusters.points[places], rank[clusters.of][places], clusters.reach[order], clusters.metrics, clusters.notes
    )

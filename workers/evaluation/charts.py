"""The plots of a report, each with a legend and the same figures as a table, for those who do not see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from limner.workers.evaluation.drift import MODERATE, STRONG, Drift
from limner.workers.evaluation.metrics import BINS, bin_of
from limner.workers.evaluation.ranking import Ranking
from limner.workers.evaluation.svg import Axis, Plot, swatch
from limner.workers.evaluation.weighted import Array

_CURVE = 150  # points of a curve that are drawn at most
_DOTS = 2000  # points of a map that are drawn at most
_STRIP = -0.22  # of a reliability diagram, where rows are counted
_UNIT = [(0.0, "0"), (0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75"), (1.0, "1")]


@dataclass(frozen=True)
class Chart:
    """A plot, how to read it, its legend (swatch as SVG, name), and its figures: a head and rows."""

    title: str
    caption: str
    svg: str
    legend: Sequence[tuple[str, str]] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def roc(labels: npt.ArrayLike, scores: Mapping[str, Array], title: str = "ROC curve") -> Chart:
    """True over false positive rate of each contender."""
    from sklearn.metrics import roc_curve

    plot = Plot(title, Axis(0, 1, "false positive rate", _UNIT), Axis(0, 1, "true positive rate", _UNIT))
    plot.rule((0, 0), (1, 1))
    for series, found in enumerate(scores.values()):
        across, up, _ = roc_curve(labels, found)
        plot.line(_thinned(across, up), series)
    return Chart(title, "The dotted diagonal is guessing.", plot.svg(), _legend(scores))


def precision_recall(labels: npt.ArrayLike, scores: Mapping[str, Array], title: str = "Precision and recall") -> Chart:
    """Precision over recall of each contender."""
    from sklearn.metrics import precision_recall_curve

    share = float(np.mean(np.asarray(labels, dtype=np.float64)))
    plot = Plot(title, Axis(0, 1, "recall", _UNIT), Axis(0, 1, "precision", _UNIT))
    plot.rule((0, share), (1, share))
    for series, found in enumerate(scores.values()):
        up, across, _ = precision_recall_curve(labels, found)
        up[-1] = up[-2]  # scikit-learn ends at a precision of 1, which nothing has
        plot.line(_steps(_thinned(across, up)), series)
    caption = f"The dotted line is guessing: {share:.1%} of the rows are positive."
    return Chart(title, caption, plot.svg(), _legend(scores))


def reliability(labels: npt.ArrayLike, probabilities: Array, bins: int = BINS) -> Chart:
    """The share of positives over the mean probability, a bin of equal width at a time, with its rows."""
    truth, bin_ = np.asarray(labels, dtype=np.float64), bin_of(probabilities, bins)
    counts = np.bincount(bin_, minlength=bins)
    filled = np.flatnonzero(counts)
    said = np.bincount(bin_, probabilities, minlength=bins)[filled] / counts[filled]
    came = np.bincount(bin_, truth, minlength=bins)[filled] / counts[filled]
    low, high = _wilson(came, counts[filled])
    title = "Reliability"
    plot = Plot(title, Axis(0, 1, "mean probability", _UNIT), Axis(_STRIP, 1, "share of positives", _UNIT), height=360)
    for place in filled:  # how many rows a bin has, in a strip below the plot
        plot.bar(
            place / bins, (place + 1) / bins, _STRIP + counts[place] / counts.max() * 0.13, 5, f"{counts[place]:,} rows"
        )
        plot.text((place + 0.5) / bins, _STRIP + counts[place] / counts.max() * 0.13, f"{counts[place]:,}", rise=-3)
    plot.rule((0, 0), (1, 1))
    for x, bottom, top in zip(said, low, high, strict=True):
        plot.rule((x, bottom), (x, top), 0, 1.5)
    plot.points(zip(said, came, strict=True), 0)
    rows = [
        (
            f"{place / bins:g} to {(place + 1) / bins:g}",
            f"{counts[place]:,}",
            f"{x:.3f}",
            f"{y:.3f}",
            f"{a:.3f} to {b:.3f}",
        )
        for place, x, y, a, b in zip(filled, said, came, low, high, strict=True)
    ]
    caption = (
        "On the dotted diagonal, probabilities are true. Bars: rows of each bin. Whiskers: 95 % of Wilson's interval, "
        "rows taken as independent."
    )
    return Chart(title, caption, plot.svg(), (), ("bin", "rows", "mean probability", "positives", "interval"), rows)


def scores(labels: npt.ArrayLike, probabilities: Array, names: tuple[str, str], bins: int = 20) -> Chart:
    """How the scores of each class lie: shares of the class's rows."""
    truth, bin_ = np.asarray(labels, dtype=bool), bin_of(probabilities, bins)
    shares = [
        np.bincount(bin_[truth == side], minlength=bins) / max(1, (truth == side).sum()) for side in (False, True)
    ]
    title = "Scores"
    top = float(max(share.max() for share in shares)) or 1.0
    plot = Plot(title, Axis(0, 1, "score", _UNIT), Axis(0, top * 1.05, "share of the class's rows"))
    for series, share in enumerate(shares):
        edges = [
            (place / bins, share[min(max(step, 0), bins - 1)])
            for place in range(bins + 1)
            for step in (place - 1, place)
        ]
        plot.line(edges, series)
    names_ = {f"{name} ({int((truth == side).sum()):,} rows)": None for side, name in enumerate(names)}
    return Chart(title, "The further apart, the better the classes are told apart.", plot.svg(), _legend(names_))


def drift(periods: Sequence[Drift]) -> Chart:
    """The population stability index of each period."""
    title = "Drift of the score"
    top = max([STRONG * 1.2, *(each.index * 1.1 for each in periods)])
    ticks = [(place + 0.5, each.period) for place, each in enumerate(periods)]
    step = -(-len(ticks) // 7)
    plot = Plot(title, Axis(0, max(1, len(periods)), "month (UTC)", ticks[::step]), Axis(0, top, "stability index"))
    for place, each in enumerate(periods):
        plot.bar(place + 0.15, place + 0.85, each.index, 0, f"{each.period}: {each.index:.3f}, {each.rows:,} rows")
    for bound in (MODERATE, STRONG):
        plot.rule((0, bound), (max(1, len(periods)), bound))
    caption = (
        f"Against its scores of what was learned from. Below {MODERATE:g} as before, from {STRONG:g} (dotted) "
        "another population."
    )
    rows = [(each.period, f"{each.rows:,}", f"{each.mean:.3f}", f"{each.index:.3f}") for each in periods]
    return Chart(title, caption, plot.svg(), (), ("month", "rows", "mean score", "index"), rows)


def by_length(rankings: Mapping[str, Ranking], longest: int = 20) -> Chart:
    """NDCG of each contender over the length of the list."""
    title = "NDCG by length of the list"
    lines = {name: [float(each.ndcg(k).mean()) for k in range(1, longest + 1)] for name, each in rankings.items()}
    top = max((value for line in lines.values() for value in line), default=1.0)
    low = min((value for line in lines.values() for value in line), default=0.0)
    plot = Plot(
        title, Axis(1, longest, "first k of the ranking"), Axis(max(0.0, low - 0.05), min(1.0, top + 0.05), "NDCG@k")
    )
    for series, line in enumerate(lines.values()):
        plot.line(((place + 1, value) for place, value in enumerate(line)), series)
    rows = [(name, *(f"{lines[name][k - 1]:.3f}" for k in (1, 5, 10, longest) if k <= longest)) for name in lines]
    head = ("", *(f"@{k}" for k in (1, 5, 10, longest) if k <= longest))
    return Chart(title, "Means over profiles that have anything relevant.", plot.svg(), _legend(lines), head, rows)


def segment_map(vectors: Array, segments: npt.NDArray[np.intp], names: Sequence[str], seed: int = 0) -> Chart:
    """Profiles in the plane of the two directions in which their vectors differ most, a mark and colour a segment."""
    from limner.workers.evaluation.split import part

    centred = vectors - vectors.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.where(axes[:2][np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)] < 0, -1, 1)[:, None]
    flat = np.zeros((len(vectors), 2))
    flat[:, : len(axes)] = centred @ axes.T
    shown = np.argsort(part(range(len(vectors)), 1 << 62, seed), kind="stable")[:_DOTS]
    bounds = [(float(each.min()), float(each.max())) for each in flat.T]
    held = spread[:2] ** 2 / max(float((spread**2).sum()), 1e-300)
    labels = [f"component {place + 1} ({share:.0%} of the variance)" for place, share in enumerate([*held, 0.0][:2])]
    title = "Segments"
    plot = Plot(title, Axis(*bounds[0], labels[0]), Axis(*bounds[1], labels[1]), height=360)
    for segment in range(len(names)):
        plot.points(flat[shown][segments[shown] == segment], segment, 2.5, 0.55)
    counts = np.bincount(segments[segments >= 0], minlength=len(names))
    rows = [(name, f"{count:,}", f"{count / len(segments):.1%}") for name, count in zip(names, counts, strict=True)]
    caption = f"{len(shown):,} of {len(segments):,} profiles, by principal components."
    legend = [(swatch(place, marked=True), name) for place, name in enumerate(names)]
    return Chart(title, caption, plot.svg(), legend, ("segment", "profiles", "share"), rows)


def _legend(names: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(swatch(series), name) for series, name in enumerate(names)]


def _thinned(across: Array, up: Array) -> list[tuple[float, float]]:
    places = np.unique(np.linspace(0, len(across) - 1, min(len(across), _CURVE)).round().astype(int))
    return [(float(across[place]), float(up[place])) for place in places]


def _steps(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points with falling recall as the step function that average precision is the area of."""
    corners = [(after, y) for (_, y), (after, _) in pairwise(points)]
    return [each for pair in zip(points, [*corners, points[-1]], strict=True) for each in pair]


def _wilson(shares: Array, counts: npt.NDArray[np.intp], z: float = 1.96) -> tuple[Array, Array]:
    """Wilson's interval of a share (1927)."""
    middle = (shares + z * z / (2 * counts)) / (1 + z * z / counts)
    half = z * np.sqrt(shares * (1 - shares) / counts + z * z / (4 * counts**2)) / (1 + z * z / counts)
    return middle - half, middle + half

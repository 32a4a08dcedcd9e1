"""A report is one file that fetches nothing, runs nothing, and shows names as they are."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from limner.workers.evaluation import charts
from limner.workers.evaluation.drift import Drift
from limner.workers.evaluation.evaluate import Evaluation, of_classes, of_rankings
from limner.workers.evaluation.ranking import Ranking, Relevant, Scored
from limner.workers.evaluation.report import About, Contribution, render
from limner.workers.evaluation.svg import round_ticks

NASTY = "<script>alert('流失')</script> & \"quotes\" <img src=http://example.invalid/x>"
ROWS = 400


def two_classes(skill: float = 2.0) -> Evaluation:
    random = np.random.default_rng(2)
    truth = (random.random(ROWS) < 0.4).astype(np.intp)
    score = 1 / (1 + np.exp(-skill * (truth - 0.5) - random.normal(size=ROWS)))
    contenders = {NASTY: np.stack([1 - score, score], axis=1), "majority": np.tile([0.6, 0.4], (ROWS, 1))}
    return of_classes(truth, ["留下 stays", NASTY], contenders, np.arange(ROWS) // 2, draws=50)


def three_classes() -> Evaluation:
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, ROWS)
    found = random.dirichlet(np.ones(3), ROWS)
    return of_classes(
        truth, ["a", "b", "c"], {"model": found, "other": found[:, ::-1]}, np.arange(ROWS), decides="log loss", draws=50
    )


def ranked() -> Evaluation:
    random = np.random.default_rng(4)
    queries, items = np.repeat(np.arange(50), 12), np.tile(np.arange(12), 50)
    relevant = Relevant(np.arange(50), random.integers(0, 12, 50), np.ones(50))
    rankings = {name: Ranking.of(Scored(queries, items, random.random(600)), relevant) for name in ("model", "popular")}
    return of_rankings(rankings, np.arange(50), draws=50)


def report(evaluation: Evaluation) -> str:
    more = [
        charts.drift([Drift("2017-11", 10, 0.4, 0.01), Drift("2017-12", 10, 0.5, 0.3)]),
        charts.segment_map(np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 2, ["年轻家庭", NASTY]),
    ]
    about = About(NASTY, "v1", NASTY, NASTY, {NASTY: NASTY, "cut-off": "2017-12-01"}, {"spec": NASTY}, [NASTY])
    return render(about, evaluation, more, [Contribution(NASTY, 0.5, -0.1)])


class Seen(HTMLParser):
    """Tags, and attributes that could fetch or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.reaching: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.reaching += [name for name, _ in attrs if name in {"src", "href", "data", "action"} or name[:2] == "on"]


@pytest.mark.parametrize("evaluation", [two_classes(), three_classes(), ranked()], ids=["two", "three", "ranking"])
def test_a_report_reaches_for_nothing(evaluation: Evaluation) -> None:
    """No script, no image, no link, no style from elsewhere; names are text wherever they stand."""
    page = report(evaluation)
    seen = Seen()
    seen.feed(page)
    assert not seen.reaching
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(seen.tags)
    assert not re.search(r"url\(|@import", page)
    assert "default-src 'none'" in page
    assert "alert(&#39;流失&#39;)" in page
    assert "年轻家庭" in page


def test_the_same_evaluation_gives_the_same_report() -> None:
    """It holds no time of its making."""
    assert report(two_classes()) == report(two_classes())


def test_the_verdict_stands_first() -> None:
    """A model that beats its baseline is said to, one that does not is said not to."""
    assert "beats every baseline in ROC-AUC" in report(two_classes())
    assert "does not beat majority in ROC-AUC" in report(two_classes(skill=0.0))


def test_plots_are_whole_and_told_in_words() -> None:
    """Each plot is well-formed, has a label for those who do not see it, and keeps within its frame."""
    for evaluation in (two_classes(), three_classes(), ranked()):
        for chart in evaluation.charts:
            drawn = ET.fromstring(chart.svg)
            assert drawn.get("role") == "img"
            assert drawn.get("aria-label") == chart.title
            numbers = re.findall(r'(?:points|x|y|x1|y2|cx|cy)="([^"]+)"', chart.svg)
            flat = [float(each) for one in numbers for each in re.split(r"[ ,]", one)]
            assert -1 <= min(flat) <= max(flat) <= 431


def test_figures_of_a_reliability_diagram_count_each_row_once() -> None:
    """The table under it holds all rows, each bin's with its share of positives."""
    chart = charts.reliability(np.array([0, 1, 1, 0]), np.array([0.05, 0.05, 1.0, 0.3]))
    assert [row[:4] for row in chart.rows] == [
        ("0 to 0.1", "2", "0.050", "0.500"),
        ("0.3 to 0.4", "1", "0.300", "0.000"),
        ("0.9 to 1", "1", "1.000", "1.000"),
    ]


def test_precision_and_recall_end_where_guessing_does() -> None:
    """One score for all rows has one precision, not a line from 1 to it."""
    drawn = charts.precision_recall(np.array([1, 0, 0, 0]), {"all alike": np.full(4, 0.5)}).svg
    heights = {point.split(",")[1] for point in re.search(r'points="([^"]+)"', drawn)[1].split()}  # type: ignore[index]
    assert len(heights) == 1


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ((0, 1), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ((1, 20), ["5", "10", "15", "20"]),
        ((-0.03, 0.021), ["-0.02", "0.00", "0.02"]),
        ((3, 3), ["3"]),
    ],
)
def test_ticks_are_round(bounds: tuple[float, float], said: list[str]) -> None:
    """One, two or five times a power of ten apart."""
    assert [label for _, label in round_ticks(*bounds)] == said

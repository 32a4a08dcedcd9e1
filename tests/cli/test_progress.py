"""The same events make bars on a terminal and few lines in a log."""

import io

from rich.console import Console

from limner.cli.progress import progress
from limner.workers.report import (
    Event,
    ModelServed,
    OnlineWritten,
    RowsPrepared,
    ShardDone,
    TextsEncoded,
    TuningStep,
    ViewDone,
    ViewFailed,
    ViewStarted,
)

DAY = 86_400_000_000
RUN: list[Event] = [
    ViewStarted("taste", 0, DAY, ("nothing is computed yet",)),
    RowsPrepared("taste", "purchases", 1_000, 990, {"duplicate": 4}, {"quantity <= 0": 6}),
    *(TextsEncoded("minilm", done, 500, 20) for done in range(0, 501, 10)),
    *(ShardDone("taste", done, 4, 100) for done in range(1, 5)),
    OnlineWritten("taste", 100, 100),
    ViewDone("taste", 400, 100, 1.25),
    ViewStarted("basics", 0, DAY),
    ViewFailed("basics", "the file [red] is gone"),
    *(TuningStep("mood", 80, done, 20, 1, 0.7) for done in range(1, 20)),
    TuningStep("mood", 80, 20, 20, 1, 0.5, 0.6, 0.75),
    ModelServed("mood", "12ab", "is served by Triton"),
]


def rendered(*, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, color_system=None)
    with progress(console) as reporter:
        for event in RUN:
            reporter(event)
    return text.getvalue()


def test_a_log_gets_a_line_a_step() -> None:
    """Fifty events of one bar are one line when they take no time; nothing is lost that matters."""
    assert rendered(terminal=False).splitlines() == [
        "  taste: from 1970-01-01 00:00:00Z to 1970-01-02 00:00:00Z (nothing is computed yet)",
        "  taste: 990 of 1,000 rows of purchases, 4 dropped (duplicate), 6 quarantined (quantity <= 0)",
        "  encode with minilm (20 known): 500 of 500 texts",
        "  taste: shards: 4 of 4 shards",
        "  taste: 400 history rows, 100 online profiles in 1.2 s",
        "  basics: from 1970-01-01 00:00:00Z to 1970-01-02 00:00:00Z",
        "  basics: failed: the file [red] is gone",
        "  mood: epoch 1 of 80 texts: loss 0.5000, of later texts 0.6000, accuracy 0.750",
        "  mood: tuning on 80 texts: 20 of 20 steps",
        "  mood: version 12ab is served by Triton",
    ]


def test_a_terminal_gets_bars_and_the_same_lines() -> None:
    """What scrolls by is what a log keeps."""
    shown = rendered(terminal=True)
    for line in rendered(terminal=False).splitlines():
        if not any(bar in line for bar in ("encode", "shards", "tuning on")):
            assert line.strip() in shown
    assert "encode with minilm (20 known)" in shown
    assert "500/500" in shown

"""The projects of `limner bench encode`: a new one each round, and its views materialized."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from limner.benchmarks.project import BenchProject, quiet
from limner.benchmarks.review_rows import ReviewRows
from limner.language.errors import LimnerError
from limner.language.models import Encoder
from limner.workers.report import Event, TextsEncoded, reporting_to

if TYPE_CHECKING:
    from limner.workers.encoder.settings import TritonSettings

START, DAYS = datetime(2026, 1, 5, tzinfo=UTC), 30
END = START + timedelta(days=DAYS + 1)
FILES = 4
BASE = """---
entity: user
join_keys: {user_id: int}
---
source: reviews
path: reviews/*.parquet
entity: user
event_timestamp: written_at
"""
VIEW = """---
feature_view: {name}
entity: user
source: reviews
every: 1d
features:
  vector: {{embed: "{{text}}", encoder: {encoder}, over: {window}}}
"""


class ReviewProjects:
    """`encoder` names its model by an absolute folder; `settings` say where Triton is."""

    def __init__(self, folder: Path, encoder: Encoder, settings: "TritonSettings") -> None:
        self._folder, self._encoder, self._settings = folder, encoder, settings
        self._project: BenchProject | None = None

    def new(self, number: int, rows: ReviewRows) -> None:
        """Begin a round with a project of its own, in which nothing is known yet."""
        engine = {"triton": self._settings.to_mapping()}
        self._project = BenchProject(self._folder / f"round-{number}", BASE, settings={"batch_engine": engine})
        rows.write(self._project.root / "reviews", FILES)

    def materialize(self, windows: dict[str, str], encoded: int) -> float:
        """Declare a view for each name and window, and return the seconds of materializing the last.

        LimnerError unless that encoded just as many texts.
        """
        assert self._project is not None
        encoder = "---\n" + yaml.safe_dump(self._encoder.model_dump(mode="json", exclude_unset=True))
        views = [VIEW.format(name=n, encoder=self._encoder.encoder, window=w) for n, w in windows.items()]
        self._project.write("".join([BASE, encoder, *views]))
        self._project.apply()
        done = [0]

        def listen(event: Event) -> None:
            if isinstance(event, TextsEncoded):
                done[0] = event.done

        with reporting_to(listen):
            seconds = self._project.materialize(START, END, [list(windows)[-1]])
        if done[0] != encoded:
            raise LimnerError(f"{done[0]} texts were encoded, expected {encoded}")
        return seconds

    def vectors(self, users: list[int]) -> list[list[float]]:
        """What the online store has of these users, in the first view."""
        assert self._project is not None
        with quiet():
            rows = [{"user_id": user} for user in users]
            answer = self._project.store().get_online_features(features=["taste:vector"], entity_rows=rows).to_dict()
        found: list[list[float]] = answer["vector"]
        return found

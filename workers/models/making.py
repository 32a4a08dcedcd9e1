"""What a kind of model is handed to make a version, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from limner.language.models import LearnedModel
from limner.language.repo import Specs
from limner.workers.context import RunContext
from limner.workers.models.versions import Version


@dataclass(frozen=True)
class Making:
    """A version to be made as of a cut-off (µs): of which model, with what, and a folder `stage` for what is passing.

    `definition`: the identity of the model as it is declared, with all it reads.
    """

    specs: Specs
    model: LearnedModel
    definition: str
    cut_off: int
    root: Path
    data: Path
    context: RunContext
    stage: Path
    allow_suspicious: bool

    @property
    def join_keys(self) -> tuple[str, ...]:
        """Of the entity, sorted."""
        return tuple(sorted(self.specs.entities[self.model.about].join_keys))

    @property
    def version(self) -> Version:
        """The version, without what is found out."""
        return Version(
            model=self.model.model,
            kind=self.model.said,
            definition=self.definition,
            cut_off=self.cut_off,
            seed=self.model.seed,
            data="",
            examples={},
            metrics={},
            files={},
        )


@dataclass(frozen=True)
class Trained:
    """A version, and whether it was registered. `files`: those of one that is to be registered by whoever asked."""

    version: Version
    registered: bool
    files: Mapping[str, bytes | Path] | None = None

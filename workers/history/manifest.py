"""The manifest of one history: which parts are visible, and over which instants. One rename changes it all at once."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from limner.language.errors import LimnerError
from limner.workers.history.files import replace, sweep

MANIFEST = "manifest.json"
STREAM = "stream-"  # the inputs of segments that a stream worker wrote, and what names of their parts begin with


class Segment(BaseModel):
    """Rows of `files` with `after` < event timestamp <= `until` are visible; instants in µs, files relative."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    after: int
    until: int
    files: tuple[str, ...]
    inputs: str | None = None  # fingerprint of the source as it was read; None: not known


class Manifest(BaseModel):
    """A contiguous run of segments, and the values at its beginning (`base`: rows at or before the first `after`).

    `handed`: files that are no rows, with which the run after the newest segment may begin.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = 1
    base: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
    handed: tuple[str, ...] = ()

    @property
    def coverage(self) -> tuple[int, int] | None:
        """(after, until] of all segments; None before the first."""
        return (self.segments[0].after, self.segments[-1].until) if self.segments else None

    def with_segment(self, new: Segment, base: Sequence[str], handed: Sequence[str] = ()) -> "Manifest":
        """Put `new` in the place of whatever it overlaps; it must touch or overlap the coverage.

        Its `base` counts where it begins at or before the coverage, `handed` where it ends with or after it.
        """
        newest = self.coverage is None or new.until >= self.coverage[1]
        if self.coverage is not None:
            begin, end = self.coverage
            if new.after > end or new.until < begin:
                raise ValueError(f"segment ({new.after}, {new.until}] leaves a gap to ({begin}, {end}]")
        earlier, later = [], []
        for old in self.segments:
            if old.after < new.after:
                earlier.append(old.model_copy(update={"until": min(old.until, new.after)}))
            if old.until > new.until:
                later.append(old.model_copy(update={"after": max(old.after, new.until)}))
        first = not earlier
        return self.model_copy(
            update={
                "base": tuple(base) if first else self.base,
                "segments": (*earlier, new, *later),
                "handed": tuple(handed) if newest else self.handed,
            }
        )


@dataclass(frozen=True)
class Part:
    """One Parquet file and the instants (µs) it is visible at: `after` < event timestamp <= `until`.

    `after` None has no lower bound: the values at the beginning of the coverage.
    """

    path: Path
    after: int | None
    until: int


class History:
    """The history of one view and fingerprint, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def manifest(self) -> Manifest:
        """The manifest as of now; an empty one before the first commit. LimnerError if it cannot be read."""
        try:
            text = (self.folder / MANIFEST).read_bytes()
        except FileNotFoundError:
            return Manifest()
        try:
            return Manifest.model_validate_json(text)
        except ValueError as error:
            raise LimnerError(
                f"{self.folder / MANIFEST} cannot be read ({error}); delete {self.folder} and materialize again"
            ) from error

    def coverage(self) -> tuple[int, int] | None:
        """(after, until] in µs, None before the first commit."""
        return self.manifest().coverage

    def parts(self) -> list[Part]:
        """The visible parts, oldest first."""
        manifest = self.manifest()
        if manifest.coverage is None:
            return []
        parts = [Part(self.folder / name, None, manifest.coverage[0]) for name in manifest.base]
        for segment in manifest.segments:
            parts += [Part(self.folder / name, segment.after, segment.until) for name in segment.files]
        return parts

    def commit(self, segment: Segment, base: Sequence[str], handed: Sequence[str] = ()) -> Manifest:
        """Make a segment visible, durably, and remove files that no longer are. The caller holds the view's lock."""
        before = self.manifest()
        manifest = before.with_segment(segment, base, handed)
        replace(self.folder / MANIFEST, manifest.model_dump_json(indent=1).encode())
        self._remove_unused(manifest, before)
        return manifest

    def _remove_unused(self, manifest: Manifest, before: Manifest) -> None:
        used = {*manifest.base, *(name for segment in manifest.segments for name in segment.files), *manifest.handed}
        folders = {name.split("/")[0] for name in used}
        for child in self.folder.iterdir():
            if child.is_dir() and child.name not in folders:
                shutil.rmtree(child)
        for name in set(before.handed) - used:
            (self.folder / name).unlink(missing_ok=True)
        sweep(self.folder)

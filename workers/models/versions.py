"""The versions of models on disk: a folder each, written once, never changed."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from limner.language.errors import LimnerError
from limner.workers.history.files import replace, write_atomic

VERSION, LEARNED = "version.json", "model.json"
_ID = 16  # hex digits


class Version(BaseModel):
    """What a version is of, what it was made from, and how good it is. Equal rows, spec and seed give equal bytes.

    `definition`: identity of the spec with all it reads; `data`: sha256 of the examples; `files`: sha256 by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    kind: str
    definition: str
    cut_off: int
    seed: int
    data: str
    examples: dict[str, Any]
    metrics: dict[str, float]
    notes: tuple[str, ...] = ()
    suspicious: str = ""
    files: dict[str, str]

    @property
    def id(self) -> str:
        """The first digits of the sha256 of its content."""
        return hashlib.sha256(self.content()).hexdigest()[:_ID]

    def content(self) -> bytes:
        """Its bytes on disk."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1, allow_nan=False).encode()


def folder_of(data: Path, model: str) -> Path:
    """The folder of a model's versions."""
    return data / "models" / model


def register(data: Path, version: Version, files: Mapping[str, bytes | Path]) -> Path:
    """Put a version in its place, in one step; returns its folder. One that is there already stays as it is.

    `files` by name: their bytes, or where they are.
    """
    target = folder_of(data, version.model) / version.id
    if target.exists():
        return target
    stage = target.parent / f".{version.id}.{uuid.uuid4().hex}.tmp"
    try:
        for name, content in {**files, VERSION: version.content()}.items():
            if isinstance(content, Path):
                write_atomic(stage / name, partial(shutil.copyfile, content))
            else:
                replace(stage / name, content)
        stage.rename(target)
        _flush(target.parent)
    except OSError:
        if not target.exists():  # another process may have been as fast
            raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return target


def registered(data: Path, model: str) -> dict[str, Version]:
    """The versions of a model by id, by rising cut-off. LimnerError where one cannot be read."""
    found = {}
    for path in folder_of(data, model).glob(f"[0-9a-f]*/{VERSION}"):
        try:
            found[path.parent.name] = Version.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise LimnerError(f"{path} cannot be read ({error}): restore it, or remove its folder") from error
    return dict(sorted(found.items(), key=lambda each: (each[1].cut_off, each[0])))


def digests(files: Mapping[str, bytes | Path]) -> dict[str, str]:
    """sha256 (hex) by name."""
    found = {}
    for name, content in files.items():
        if isinstance(content, Path):
            with content.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

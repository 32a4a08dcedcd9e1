"""The `batch_engine:` section of feature_store.yaml, read once into a frozen record."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from limner.language.errors import LimnerError
from limner.workers.encoder.settings import TritonSettings
from limner.workers.environment import expand
from limner.workers.online.checking import CHOICES, Checking

_SECTION = "feature_store.yaml, batch_engine"
_FEAST_KEYS = {"type", "supports_batch"}  # what Feast itself reads or passes on in this section
_MEMORY = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?)B", re.IGNORECASE)
_WHOLE_NUMBERS = {"shards", "cpus", "tuning_workers"}


@dataclass(frozen=True)
class EngineSettings:
    """How profiles are computed.

    `specs`, `data` and a relative SQLite path in `ledger` are relative to the folder of feature_store.yaml,
    as Feast's own paths are. `ray_address` None starts Ray on this machine with `cpus` workers (None: one a
    core). `shards` None lets the planner choose. `memory_limit` bounds what one task holds, e.g. `1GB`.
    `check_online`: when runs look for online values that are not what the history says (daily, always or never).
    `tuning_workers` processes tune an encoder together, each on a core, or on a GPU where there are as many.
    """

    specs: Path = Path("../specs")
    data: Path = Path("../data")
    ledger: str = "sqlite:///../data/ledger.db"
    ray_address: str | None = None
    cpus: int | None = None
    shards: int | None = None
    memory_limit: str = "1GB"
    tuning_workers: int = 1
    check_online: Checking = "daily"
    triton: TritonSettings = field(default_factory=TritonSettings)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], folder: Path | None = None) -> "EngineSettings":
        """Read the section; `folder` (that of feature_store.yaml) makes its paths absolute.

        `${NAME}` in a text stands for an environment variable. Raises LimnerError for an unknown key (with
        the nearest valid one), a wrong type or an unset variable.
        """
        known = [each.name for each in fields(cls)]
        values: dict[str, Any] = {}
        for key, raw in mapping.items():
            if key in _FEAST_KEYS:
                continue
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
                raise LimnerError(f"{_SECTION}: unknown key {key!r}: {hint}")
            values[key] = _value(key, raw)
        settings = cls(**values)
        return settings if folder is None else settings._below(folder)

    @classmethod
    def at(cls, repo: Path) -> "EngineSettings":
        """The settings of the project whose feature_store.yaml is in `repo`, read without Feast."""
        import yaml

        path = repo / "feature_store.yaml"
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise LimnerError(f"cannot read {path}: {error}") from error
        section = document.get("batch_engine") if isinstance(document, dict) else None
        return cls.from_mapping(section if isinstance(section, Mapping) else {}, repo)

    def _below(self, folder: Path) -> "EngineSettings":
        folder = folder.resolve()
        return EngineSettings(
            **{each.name: getattr(self, each.name) for each in fields(self)}
            | {
                "specs": (folder / self.specs).resolve(),
                "data": (folder / self.data).resolve(),
                "ledger": _absolute_sqlite(self.ledger, folder),
            }
        )


def _value(key: str, raw: Any) -> Any:
    where = f"{_SECTION}.{key}"
    if key == "triton":
        if not isinstance(raw, Mapping):
            raise LimnerError(f"{where}: found {raw!r}, expected a mapping such as {{url: 127.0.0.1:8001}}")
        return TritonSettings.from_mapping({k: expand(v, where) if isinstance(v, str) else v for k, v in raw.items()})
    if key in _WHOLE_NUMBERS:
        if (raw is not None or key == "tuning_workers") and (
            isinstance(raw, bool) or not isinstance(raw, int) or raw < 1
        ):
            raise LimnerError(f"{where}: found {raw!r}, expected a whole number from 1")
        return raw
    if key == "check_online":
        if raw not in CHOICES:
            raise LimnerError(f"{where}: found {raw!r}, expected one of {', '.join(CHOICES)}")
        return raw
    if raw is None and key == "ray_address":
        return None
    if not isinstance(raw, str) or not raw.strip():
        raise LimnerError(f"{where}: found {raw!r}, expected a text")
    text = expand(raw.strip(), where)
    if key == "memory_limit" and not _MEMORY.fullmatch(text):
        raise LimnerError(f"{where}: found {text!r}, expected an amount of memory such as 1GB or 500MB")
    return Path(text) if key in ("specs", "data") else text


def _absolute_sqlite(url: str, folder: Path) -> str:
    prefix = "sqlite:///"
    path = url.removeprefix(prefix)
    if path == url or path.startswith("/") or path in ("", ":memory:"):
        return url
    return prefix + str((folder / path).resolve())

"""All specs of a project: a folder of YAML files read into one frozen value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from limner.language.documents import Parsed, parse
from limner.language.errors import LimnerError, Problem, SpecError
from limner.language.learning.binding import bind
from limner.language.models import (
    DOCUMENTS,
    Encoder,
    Entity,
    FeatureView,
    LearnedModel,
    Profile,
    RequestView,
    Source,
)
from limner.language.places import Origin
from limner.language.reader import read
from limner.language.references import unresolved

MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class Specs:
    """Documents by name. `raw` is what was written, `origins` where; both by (kind, name), both may be empty."""

    entities: Mapping[str, Entity] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    encoders: Mapping[str, Encoder] = field(default_factory=dict)
    views: Mapping[str, FeatureView] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    requests: Mapping[str, RequestView] = field(default_factory=dict)
    models: Mapping[str, LearnedModel] = field(default_factory=dict)
    raw: Mapping[tuple[str, str], dict[str, Any]] = field(default_factory=dict, compare=False, repr=False)
    origins: Mapping[tuple[str, str], Origin] = field(default_factory=dict, compare=False, repr=False)

    def origin(self, kind: str, name: str) -> Origin:
        """Where a document was written; specs made in Python have only a title."""
        return self.origins.get((kind, name), Origin("specs", f"{kind} {name}"))


def load(folder: Path) -> Specs:
    """Every document in the *.yaml and *.yml files below `folder`, in the order of their paths.

    Raises SpecError with all problems of all files, LimnerError where the folder itself is missing.
    """
    if not folder.is_dir():
        raise LimnerError(f"there is no folder {folder}: put the specs (*.yaml) there, or run limner init")
    return load_texts({_shown(path): _text(path) for path in _files(folder)})


def load_texts(texts: Mapping[str, str | Problem]) -> Specs:
    """As `load`, from file names and their contents (or the problem that kept a file from being read)."""
    problems: list[Problem] = []
    names: dict[str, dict[str, Parsed]] = {kind: {} for kind in DOCUMENTS}
    complete = True
    for file, text in texts.items():
        documents, found = ([], [text]) if isinstance(text, Problem) else read(text, file)
        complete &= not found
        problems += found
        for document in documents:
            parsed, found = parse(document)
            problems += found
            complete &= parsed is not None and bool(parsed.name)
            if parsed is not None and parsed.name:
                problems += _add(names[parsed.kind], parsed)
    _bind(names)
    problems += unresolved(names, complete=complete)
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    return _specs(names)


def _add(known: dict[str, Parsed], parsed: Parsed) -> Iterator[Problem]:
    first = known.setdefault(parsed.name, parsed)
    if first is not parsed:
        line = first.origin.places[(parsed.kind,)].value[0]
        text = (
            f"the {parsed.kind.replace('_', ' ')} {parsed.name!r} is already in {first.origin.file}:{line}: rename one"
        )
        yield parsed.origin.problem((parsed.kind,), text)


def _bind(names: dict[str, dict[str, Parsed]]) -> None:
    """Tell features that ask models what these read."""
    models = {name: each.model for name, each in names["model"].items() if isinstance(each.model, LearnedModel)}
    views = {name: each.model for name, each in names["feature_view"].items() if isinstance(each.model, FeatureView)}
    for name, view in views.items():
        names["feature_view"][name] = replace(names["feature_view"][name], model=bind(view, models, views))


def _specs(names: Mapping[str, Mapping[str, Parsed]]) -> Specs:
    def of(kind: str) -> dict[str, Any]:
        return {name: parsed.model for name, parsed in names[kind].items()}

    every = [parsed for kind in names.values() for parsed in kind.values()]
    return Specs(
        entities=of("entity"),
        sources=of("source"),
        encoders=of("encoder"),
        views=of("feature_view"),
        profiles=of("profile"),
        requests=of("request_view"),
        models=of("model"),
        raw={(parsed.kind, parsed.name): parsed.data for parsed in every},
        origins={(parsed.kind, parsed.name): parsed.origin for parsed in every},
    )


def _files(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml") and path.is_file()]
    return sorted(path for path in found if not _hidden(path.relative_to(folder)))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _shown(path: Path) -> str:
    """Relative to the working directory where it lies below it: editors and terminals make that clickable."""
    absolute = path.resolve()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(path)


def _text(path: Path) -> str | Problem:
    try:
        if path.stat().st_size > MAX_BYTES:
            return Problem(_shown(path), 1, 1, "", f"larger than {MAX_BYTES} bytes: that is no spec")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        return Problem(_shown(path), 1, 1, "", f"not UTF-8 (byte {error.start}): save the file as UTF-8")
    except OSError as error:
        return Problem(_shown(path), 1, 1, "", f"cannot be read: {error.strerror}")

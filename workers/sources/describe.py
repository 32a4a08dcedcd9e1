"""The columns of a source, as a spec may name them."""

from pathlib import Path

from limner.language.errors import LimnerError, Problem, SpecError
from limner.language.models import LogicalType, Source
from limner.language.repo import Specs
from limner.workers.sources.database import columns_of
from limner.workers.sources.duck import looking
from limner.workers.sources.file_scan import physical_types
from limner.workers.sources.files import found
from limner.workers.sources.naming import renamed
from limner.workers.sources.partitions import check_keys
from limner.workers.sources.physical import logical_type


def describe(source: Source, root: Path) -> dict[str, LogicalType]:
    """Columns by name, renamed, in the source's order; columns that specs cannot name (binary, nested) are left out.

    Raises LimnerError where files, database or table are not there or cannot be read.
    """
    if source.database is not None:
        return renamed(source, columns_of(source, root))
    files = found(source, root)
    check_keys(source, files)
    with looking() as database:
        kinds = {name: logical_type(kind) for name, kind in physical_types(database, source, files).items()}
    return renamed(source, {name: kind for name, kind in kinds.items() if kind is not None})


def describe_all(specs: Specs, root: Path) -> dict[str, dict[str, LogicalType]]:
    """The columns of each source. SpecError where files of sources are not there or cannot be read: it says where each
    is declared; LimnerError for what is no file, and where nobody knows.
    """
    found: dict[str, dict[str, LogicalType]] = {}
    problems: list[Problem] = []
    for name, source in specs.sources.items():
        try:
            found[name] = describe(source, root)
        except LimnerError as error:
            if source.database is not None or ("source", name) not in specs.origins:
                raise
            text = str(error).removeprefix(f"source {name!r}: ")
            problems.append(specs.origin("source", name).problem(("path",), text))
    if problems:
        raise SpecError(problems)
    return found

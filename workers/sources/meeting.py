"""The source's `where`: which rows are read at all, and which files cannot have one.

The condition sees columns under their new names and after casts, NaN as null, times as instants; it comes before every
other step. A row is read where it is true, and also where it cannot be told because a value could not be read: such a
row goes to quarantine for that value, rather than out of sight.
"""

from collections.abc import Callable, Collection, Mapping

from limner.language.condition_types import resolve
from limner.language.expressions import columns_of
from limner.language.models import LogicalType, Source
from limner.language.rendering import sql
from limner.language.syntax import Call, Column, Node
from limner.workers.sources.file_scan import FileTable
from limner.workers.sources.files import Files
from limner.workers.sources.physical import logical_type
from limner.workers.sources.values import read_as
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import quoted

_PREFIX = "__w."


def meeting(
    query: str, tree: Node, values: Mapping[str, str], types: Mapping[str, LogicalType], unread: Collection[str]
) -> str:
    """The rows of a SELECT that are read. `values`: SQL of each column of the condition; `unread`: predicates of rows
    of which one could not be read.
    """
    columns = ", ".join(f"{_clean(value, types[name])} AS {quoted(_PREFIX + name)}" for name, value in values.items())
    renamed = _over(tree, lambda name: _PREFIX + name)
    holds = sql(resolve(renamed, {_PREFIX + name: kind for name, kind in types.items()}))
    otherwise = " OR ".join(f"coalesce({each}, false)" for each in unread) or "false"
    dropped = ", ".join(quoted(_PREFIX + name) for name in values)
    kept = f"FROM (SELECT *{', ' if columns else ''}{columns} FROM ({query})) WHERE coalesce({holds}, {otherwise})"
    return f"SELECT * {f'EXCLUDE ({dropped}) ' if dropped else ''}{kept}"


def met(bench: Workbench, source: Source, files: Files, table: FileTable) -> list[int]:
    """The numbers of the files that may have a row to be read, as far as their folders tell."""
    tree = None if source.where is None else _about(source.where.tree, _new(source, files))
    if tree is None or not len(files):
        return list(range(len(files)))
    values: dict[str, str] = {}
    types: dict[str, LogicalType] = {}
    for name, old in _new(source, files).items():
        physical = table.physical[old]
        kind = source.clean.cast.get(name, logical_type(physical) or "string")
        types[name] = kind
        values[name] = read_as(kind, quoted(old), physical, source.timezone, bench.instants)
    # null is not false: other columns may still bring the row to quarantine
    kept = meeting(f"SELECT * FROM {table.keys(files)}", tree, values, types, ["true"])
    return sorted(int(row[0]) for row in bench.rows(f"SELECT __number FROM ({kept})"))


def conjuncts(node: Node) -> list[Node]:
    """The conditions that must all hold."""
    match node:
        case Call("and", args):
            return [each for arg in args for each in conjuncts(arg)]
    return [node]


def _new(source: Source, files: Files) -> dict[str, str]:
    """The folders' keys by their new names, without those that are times of the source."""
    new = {old: name for name, old in source.rename.items()}
    names = {new.get(key, key): key for key in files.keys}
    times = {source.event_timestamp, source.created_timestamp, "event_timestamp", "created_timestamp"}
    return {name: old for name, old in names.items() if name not in times}


def _about(node: Node, names: Collection[str]) -> Node | None:
    """What a condition says of these columns alone: where that is not true, neither is the whole."""
    whole: Node | None = None
    for each in conjuncts(node):
        read = set(columns_of(each))
        if read and read <= set(names):
            whole = each if whole is None else Call("and", (whole, each))
    return whole


def _over(node: Node, name: Callable[[str], str]) -> Node:
    match node:
        case Column(old):
            return Column(name(old))
        case Call(op, args):
            return Call(op, tuple(_over(arg, name) for arg in args))
    return node


def _clean(value: str, kind: LogicalType) -> str:
    return f"CASE WHEN NOT isnan({value}) THEN {value} END" if kind == "float" else value

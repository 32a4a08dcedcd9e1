"""One connection of a preparation, and the SQL functions defined on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limner.workers.sources.instants import Instants

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass
class Workbench:
    """One connection and the functions defined on it."""

    database: "DuckDBPyConnection"
    instants: Instants
    functions: int = 0

    def name(self) -> str:
        """A name for one more SQL function."""
        self.functions += 1
        return f"limner_f{self.functions}"

    def run(self, sql: str) -> None:
        """Execute a statement."""
        self.database.execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        return list(self.database.execute(sql).fetchall())

    def count(self, sql: str) -> int:
        """The one number a statement gives."""
        return int(self.rows(sql)[0][0])

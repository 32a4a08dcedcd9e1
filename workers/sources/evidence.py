"""What a run saw of a source: kept, so that the next one can tell whether it finds the same."""

from pydantic import BaseModel, ConfigDict


class Rows(BaseModel):
    """Clean rows, duplicates among them: how many, and the sum of their hashes by this version of DuckDB."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    count: int
    hashes: int
    by: str

    def __add__(self, other: "Rows") -> "Rows":
        return Rows(count=self.count + other.count, hashes=self.hashes + other.hashes, by=self.by)


class Evidence(BaseModel):
    """What was seen of one source: the rows known at the instant `at` (µs), in which files.

    `files`: by path (relative to the project) size and time of modification in ns. `read_as`: the types of all columns.
    `others`: the identity of what is looked up. `rows` None: they were not counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    at: int
    files: dict[str, tuple[int, int]]
    read_as: dict[str, str]
    others: str
    rows: Rows | None = None

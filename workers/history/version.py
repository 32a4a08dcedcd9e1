"""What a history was computed from, kept beside it: enough to serve it again and to go on with it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from limner.language.errors import LimnerError
from limner.workers.history.files import replace

VERSION = "version.json"


class Version(BaseModel):
    """One definition of a view: its closure (JSON of its documents), its encoders' fingerprints and dims."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    view: str
    fingerprint: str
    closure: str
    encoders: dict[str, str] = {}
    dims: dict[str, int] = {}

    def write(self, history: Path) -> None:
        """Keep it in the folder of the history, once."""
        path = history / VERSION
        if not path.exists():
            replace(path, self.model_dump_json(indent=1).encode())


def read_version(history: Path) -> Version | None:
    """The version a history is of; None where the folder does not say. LimnerError if it cannot be read."""
    path = history / VERSION
    try:
        return Version.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LimnerError(f"{path} cannot be read ({error}); delete it, and materialize the view again") from error

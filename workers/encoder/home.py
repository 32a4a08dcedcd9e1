"""Where Triton lives in a project: the folder `.triton`, which git ignores and which may be deleted."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TritonHome:
    """Paths below PROJECT/.triton."""

    root: Path

    @property
    def base(self) -> Path:
        """The folder itself."""
        return self.root / ".triton"

    @property
    def server(self) -> Path:
        """Triton as unpacked from its wheel."""
        return self.base / "server"

    @property
    def tritonserver(self) -> Path:
        """The folder with bin, backends and caches."""
        return self.server / "pytriton" / "tritonserver"

    @property
    def environment(self) -> Path:
        """The models' own virtual environment (NumPy below 2)."""
        return self.base / "env"

    @property
    def python(self) -> Path:
        """The interpreter the models run in."""
        return self.environment / "bin" / "python"

    @property
    def repository(self) -> Path:
        """The model repository: mount this folder to serve the same models elsewhere."""
        return self.base / "repository"

    @property
    def exports(self) -> Path:
        """Exported graphs and tokenizers, by content; the repository links to them."""
        return self.base / "exports"

    @property
    def log(self) -> Path:
        """What the server and its models write."""
        return self.base / "tritonserver.log"

    @property
    def record(self) -> Path:
        """The running server's process id and ports."""
        return self.base / "tritonserver.json"

    @property
    def lock(self) -> Path:
        """Held by whoever installs, starts or stops."""
        return self.base / "lock"

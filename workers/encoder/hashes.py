"""sha256 of large files, remembered: hashing 90 MB of weights at each start would be waste."""

import hashlib
import json
import os
from pathlib import Path


class FileHashes:
    """File hashes keyed by path, size and modification time (ns), in a JSON file that may be deleted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changed = False
        try:
            self.known: dict[str, str] = json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            self.known = {}

    def sha256(self, path: Path) -> str:
        """Return the file's hex digest, reading it only if it is new or has changed."""
        real = path.resolve()
        stat = real.stat()
        key = f"{real}|{stat.st_size}|{stat.st_mtime_ns}"
        if key not in self.known:
            with real.open("rb") as file:
                self.known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            self.changed = True
        return self.known[key]

    def save(self) -> None:
        """Keep what was learned. Where the project is read-only nothing is kept: it is only a cache."""
        if not self.changed:
            return
        temporary = self.path.with_suffix(f".{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self.known))
            temporary.replace(self.path)
        except OSError:
            return

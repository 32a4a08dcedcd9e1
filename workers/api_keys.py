"""API keys: from the environment or a file, compared in constant time, kept as hashes only."""

import hmac
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from limner.language.errors import LimnerError

VARIABLE = "LIMNER_API_KEY"
_SHORTEST = 16


class ApiKeys:
    """The keys that open the server; without any, it is open."""

    def __init__(self, keys: Iterable[str]) -> None:
        """LimnerError for a key that is too short, or that no header can carry."""
        found = list(keys)
        for key in found:
            if len(key) < _SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
                raise LimnerError(
                    f"an API key has at least {_SHORTEST} characters of ASCII without spaces: "
                    "make one with `openssl rand -hex 32`"
                )
        self._hashes = [sha256(key.encode()).digest() for key in found]

    @classmethod
    def of(cls, file: Path | None) -> "ApiKeys":
        """The keys of `file`, one a line, and of LIMNER_API_KEY."""
        keys = [os.environ[VARIABLE]] if os.environ.get(VARIABLE) else []
        if file is not None:
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise LimnerError(f"cannot read API keys from {file}: {error}") from error
            listed = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
            if not listed:
                raise LimnerError(f"{file} holds no API key: write one a line, or leave --api-key-file out")
            keys += listed
        return cls(keys)

    @classmethod
    def of_variable(cls, name: str) -> "ApiKeys":
        """The keys of an environment variable, with spaces between."""
        return cls(os.environ.get(name, "").split())

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def open_to(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether headers carry one of the keys: `X-API-Key: KEY` or `Authorization: Bearer KEY`."""
        if not self._hashes:
            return True
        given = b""
        for name, value in headers:
            if name == b"x-api-key":
                given = value
            elif name == b"authorization" and value[:7].lower() == b"bearer " and not given:
                given = value[7:].strip()
        digest = sha256(given).digest()
        return sum(hmac.compare_digest(digest, each) for each in self._hashes) > 0  # every one is compared

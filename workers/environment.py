"""Secrets come from the environment, and never go into a message, a log or the ledger."""

import os
import re
from collections.abc import Mapping

from limner.language.errors import LimnerError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_URL_PASSWORD = re.compile(r"(?P<keep>[A-Za-z][\w+.-]*://[^\s:/@'\"]*:)[^\s'\"]*@")
_NAMED_SECRET = re.compile(r"(?i)\b(?P<keep>\w*(?:password|passwd|pwd|secret|token|api_?key)\s*=\s*)[^\s&;'\",)]+")


def expand(text: str, where: str, environment: Mapping[str, str] = os.environ) -> str:
    """Replace each `${NAME}` by the environment variable NAME.

    Raises LimnerError, which names the variable and `where` it was wanted, if it is not set.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise LimnerError(f"{where}: the environment variable {match[1]} is not set: `export {match[1]}=…`")
        return environment[match[1]]

    return _REFERENCE.sub(value, text)


def mask(text: str) -> str:
    """Replace passwords of URLs and values named like secrets by ***: rather too much than too little."""
    return _NAMED_SECRET.sub(r"\g<keep>***", _URL_PASSWORD.sub(r"\g<keep>***@", text))

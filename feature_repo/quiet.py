"""Warnings of Feast's that are wrong here, and would greet everybody."""

import logging


class _Drop(logging.Filter):
    """Drops messages that begin so."""

    def __init__(self, begin: str) -> None:
        super().__init__()
        self.begin = begin

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(self.begin)


def hush() -> None:
    """Leave out that a flag "typically has no effect" on a file registry: it has, reads fail without it."""
    _leave_out("feast.repo_config", "`serve_features_while_materializing` is enabled but `registry_type` is")


def hush_server() -> None:
    """Leave out that nobody is asked who he is: `limner serve` has API keys of its own, and says who may read."""
    _leave_out("feast.permissions.server.utils", "Running with auth_type=no_auth.")


def _leave_out(logger: str, begin: str) -> None:
    """Calling it again changes nothing."""
    found = logging.getLogger(logger)
    if not any(isinstance(each, _Drop) and each.begin == begin for each in found.filters):
        found.addFilter(_Drop(begin))

"""One warning of Feast's is wrong here, and would greet every command."""

import logging

_MISLEADING = "`serve_features_while_materializing` is enabled but `registry_type` is"


class _Drop(logging.Filter):
    """Drops the warning that the flag "typically has no effect" on a file registry: it has, reads fail without it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return _MISLEADING not in str(record.msg)


def hush() -> None:
    """Leave the warning out; calling it again changes nothing."""
    logger = logging.getLogger("feast.repo_config")
    if not any(isinstance(each, _Drop) for each in logger.filters):
        logger.addFilter(_Drop())

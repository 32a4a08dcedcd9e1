"""Online values by place: an SQLite file, or a Redis or Valkey server."""

from pathlib import Path

from limner.workers.online.database import Database, Writer
from limner.workers.online.locate import Place


def open_database(place: Place) -> Database:
    """Read what is at `place`; opened when first needed."""
    if isinstance(place, Path):
        from limner.workers.online.sqlite import Database as SqliteDatabase

        return SqliteDatabase(place, readonly=True)
    from limner.workers.online.redis_reader import RedisDatabase

    return RedisDatabase(place)


def open_writer(place: Place) -> Writer:
    """Write to `place`; opened when first needed."""
    if isinstance(place, Path):
        from limner.workers.online.writer import OnlineWriter

        return OnlineWriter(place)
    from limner.workers.online.redis_writer import RedisWriter

    return RedisWriter(place)

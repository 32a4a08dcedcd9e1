"""What a worker serves from: one state of a project's configuration and registry, replaced as a whole."""

import logging
from functools import cached_property
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING

from limner.feature_repo.online_plans import Registered
from limner.language.errors import UnavailableError
from limner.workers.online.locate import online_place, repository
from limner.workers.online.opening import open_database
from limner.workers.request.texts import TextEncoders

if TYPE_CHECKING:
    from limner.workers.encoder.transport import GrpcTransport
    from limner.workers.online.database import Database

log = logging.getLogger("limner.serve")
Stamp = tuple[tuple[int, int, int] | None, ...]
_NEVER: Stamp = ()


class Served:
    """One state. Requests that began with it end with it, also when another one has taken its place."""

    def __init__(self, root: Path) -> None:
        """LimnerError where the project cannot be read, or keeps its values where only Feast reads them."""
        repo = repository(root)
        place = online_place(root)
        assert repo is not None  # or `online_place` had raised
        self.root, self.repo = root, repo
        self.database: Database = open_database(place)
        self.local = isinstance(place, Path)  # reads are so short that a thread would only cost
        self.encode = TextEncoders(repo)
        self.registered = Registered(repo)

    @cached_property
    def encoders(self) -> "list[GrpcTransport]":
        """Connections to the Triton servers that feature_store.yaml names; none where it names none."""
        import yaml

        from limner.workers.encoder.balance import places
        from limner.workers.encoder.transport import GrpcTransport
        from limner.workers.settings import EngineSettings

        engine = (yaml.safe_load((self.repo / "feature_store.yaml").read_text()) or {}).get("batch_engine")
        if not isinstance(engine, dict) or "triton" not in engine:
            return []
        return [GrpcTransport(place) for place in places(EngineSettings.at(self.repo).triton)]


class Holder:
    """The state that is served now. `stamp` tells whether files on disk are still those that it was made of."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stamp = _NEVER
        self._served: Served | None = None
        self.problem: str | None = None

    @property
    def now(self) -> Served:
        """The newest state. UnavailableError before the first one."""
        if self._served is None:
            raise UnavailableError(self.problem or "the project has not been read yet")
        return self._served

    def look(self) -> bool | None:
        """Take up what has changed on disk: True if it was, False if it cannot be (the state before stays), None if
        nothing has changed. Any thread may call it, one at a time.
        """
        stamp, begun = self._look(), time_ns()
        if stamp == self._stamp:
            if self._served is not None:
                self._served.registered.refresh()
            return None
        try:
            self._served = Served(self._root)
        except Exception as error:  # noqa: BLE001 - whatever it is, what is served goes on being served
            self._stamp, self.problem = stamp, str(error)
            log.error("the project cannot be read, what was served before is served still: %s", error)
            return False
        now = self._look()  # of more files, the first time: one that was written meanwhile is looked at again
        self._stamp = _NEVER if any(each is not None and each[1] >= begun for each in now) else now
        self.problem = None
        return True

    def _look(self) -> Stamp:
        repo = repository(self._root)
        paths = [] if repo is None else [repo / "feature_store.yaml"]
        if self._served is not None:
            paths += self._served.registered.files
            place = self._served.database.place
            paths += [place] if isinstance(place, Path) else []
        found = [_stamp(path, identity_only=n > 1) for n, path in enumerate(paths)]
        return tuple(found)


def _stamp(path: Path, *, identity_only: bool) -> tuple[int, int, int] | None:
    """What changes with a file; of the online values, which are written in place, only that another file is there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, 0, 0) if identity_only else (found.st_ino, found.st_mtime_ns, found.st_size)

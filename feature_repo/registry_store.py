"""Feast's registry file, replaced in one step."""

import uuid
from pathlib import Path

from feast.infra.registry.file import FileRegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.utils import _utc_now

from limner.workers.history.files import replace


class LimnerRegistryStore(FileRegistryStore):
    """Feast's own truncates the file and then writes it.

    A reader that looks in between finds no feature views, and a kill in between loses them all.
    """

    def _write_registry(self, registry_proto: RegistryProto) -> None:
        registry_proto.version_id = str(uuid.uuid4())
        registry_proto.last_updated.FromDatetime(_utc_now())
        replace(Path(self._filepath), registry_proto.SerializeToString())

"""The job that Feast hands to its user: nothing is read until the result is asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import RepoConfig
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import FileSource, SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDatasetStorage

from limner.feature_repo.errors import FeastFacingError, facing_feast
from limner.workers.history.files import write_atomic

if TYPE_CHECKING:
    from feast.saved_dataset import ValidationReference


class LimnerRetrievalJob(RetrievalJob):
    """Evaluates `answer` each time it is asked; on-demand views are applied by Feast."""

    def __init__(
        self,
        answer: Callable[[], pa.Table],
        config: RepoConfig,
        full_feature_names: bool,
        on_demand: list[OnDemandFeatureView],
        metadata: RetrievalMetadata | None,
    ) -> None:
        self._answer = answer
        self._config = config
        self._full_feature_names = full_feature_names
        self._on_demand = on_demand
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """Whether features are called `view__feature`."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The on-demand views that Feast applies to the answer."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked."""
        return self._metadata

    def to_df(
        self, validation_reference: "ValidationReference | None" = None, timeout: int | None = None
    ) -> pd.DataFrame:
        """The answer as a data frame: as Feast does it, but a map becomes a dict and not a list of pairs."""
        table = self.to_arrow(validation_reference=validation_reference, timeout=timeout)
        return table.to_pandas(maps_as_pydicts="strict").reset_index(drop=True)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        with facing_feast():
            return self._answer()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas(maps_as_pydicts="strict")

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Write the answer to one Parquet file, whole or not at all."""
        if not isinstance(storage, SavedDatasetFileStorage):
            raise FeastFacingError("Limner's offline store saves data sets to files: use SavedDatasetFileStorage")
        uri = FileSource.get_uri_for_file_path(self._config.repo_path, storage.file_options.uri)
        path = Path(uri)
        if path.suffix != ".parquet":
            raise FeastFacingError(f"a data set is saved as one Parquet file: {path} should end in .parquet")
        if path.exists() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=str(path))
        table = self.to_arrow(timeout=timeout)
        write_atomic(path, lambda target: pq.write_table(table, target))

"""Feast's provider, but for events that are pushed. `provider:` of feature_store.yaml."""

import asyncio

import pandas as pd
from feast import FeatureView, OnDemandFeatureView
from feast.base_feature_view import BaseFeatureView
from feast.infra.passthrough_provider import PassthroughProvider

from limner.feature_repo.events_view import EVENTS_TAG
from limner.feature_repo.push import push_events


class LimnerProvider(PassthroughProvider):
    """Rows that are pushed to a source are events of it; rows of a feature view are written as Feast does."""

    def ingest_df(
        self,
        feature_view: BaseFeatureView | FeatureView | OnDemandFeatureView,
        df: pd.DataFrame,
        field_mapping: dict[str, str] | None = None,
    ) -> None:
        """Write rows online. PushError where events are refused, or not taken yet."""
        if isinstance(feature_view, FeatureView) and EVENTS_TAG in feature_view.tags:
            push_events(self.repo_config, feature_view, df)
        else:
            super().ingest_df(feature_view, df, field_mapping)

    async def ingest_df_async(
        self,
        feature_view: BaseFeatureView | FeatureView | OnDemandFeatureView,
        df: pd.DataFrame,
        field_mapping: dict[str, str] | None = None,
    ) -> None:
        """As `ingest_df`."""
        if isinstance(feature_view, FeatureView) and EVENTS_TAG in feature_view.tags:
            await asyncio.to_thread(push_events, self.repo_config, feature_view, df)
        else:
            await super().ingest_df_async(feature_view, df, field_mapping)

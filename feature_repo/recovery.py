"""Feast's state of a view that served values before a run was killed, set right again."""

from typing import Any

from feast import FeatureView
from feast.feature_view import FeatureViewState
from feast.infra.registry.base_registry import BaseRegistry


class ServedFeatureView(FeatureView):
    """A view that has been served, and so never falls back to GENERATED, which Feast refuses to read.

    A killed run leaves a view in MATERIALIZING. The next run takes that for "reserved by a server" and, should it
    fail, rolls the view back to GENERATED: reads fail although nothing that is served has changed.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "state" and value == FeatureViewState.GENERATED:
            value = FeatureViewState.AVAILABLE_ONLINE
        super().__setattr__(name, value)


def keep_servable(view: FeatureView) -> None:
    """See to it that Feast's rollback of this very object leaves the view readable."""
    if type(view) is FeatureView and view.materialization_intervals:
        view.__class__ = ServedFeatureView


def recover(registry: BaseRegistry, project: str) -> list[str]:
    """Make views readable again that a killed run left in GENERATED; return their names."""
    recovered = []
    for view in registry.list_feature_views(project):
        if view.state == FeatureViewState.GENERATED and view.materialization_intervals:
            view.state = FeatureViewState.AVAILABLE_ONLINE
            registry.apply_feature_view(view, project)
            recovered.append(view.name)
    return recovered

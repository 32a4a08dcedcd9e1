"""Request views when a view goes back to its version before: made again, over what is then served."""

import json
from collections.abc import Mapping

from feast import FeatureStore, FeatureView, OnDemandFeatureView

from limner.feature_repo.applied import applied_plan
from limner.feature_repo.compile import feast_entities
from limner.feature_repo.on_demand import DOCUMENT_TAG, on_demand_view, program_of
from limner.feature_repo.project import Project
from limner.language.models import RequestView
from limner.language.repo import Specs
from limner.workers.plan import ViewPlan
from limner.workers.request.plan import plan_request
from limner.workers.request.program import Program

Planned = tuple[RequestView, Program, ViewPlan]


def planned_again(
    store: FeatureStore, project: Project, registered: Mapping[str, FeatureView], going: Mapping[str, ViewPlan]
) -> list[Planned]:
    """The request views that read a view that is `going` back, planned over what it will be: what they read is there.

    LimnerError where it has a type that they cannot use.
    """
    found: list[Planned] = []
    for view in store.list_on_demand_feature_views():
        program = program_of(view)
        if program is None or not program.views.keys() & going.keys():
            continue
        plans = {each: going.get(each) or applied_plan(registered[each], project) for each in program.views}
        spec = RequestView.model_validate(json.loads(view.tags[DOCUMENT_TAG])[0])
        again = plan_request(Specs(requests={view.name: spec}), view.name, plans)
        found.append((spec, again, next(iter(plans.values()))))
    return found


def made_again(planned: list[Planned], views: Mapping[str, FeatureView]) -> list[OnDemandFeatureView]:
    """Their Feast objects over the views as they are registered."""
    return [
        on_demand_view(spec, program, views, feast_entities(plan.specs, spec.entity)) for spec, program, plan in planned
    ]

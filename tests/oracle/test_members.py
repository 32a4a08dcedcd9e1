"""Views over views, from raw files to their history, against the oracle."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from limner.workers.members import beginnings
from tests.oracle.compare import Timeline, check_changes, check_values, interesting
from tests.oracle.generate import Case, cases
from tests.oracle.members import Over, over, usable
from tests.oracle.pipeline import Project, run, visible
from tests.oracle.profiles import many
from tests.oracle.worlds import exact

pytestmark = pytest.mark.timeout(1800)
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None


@many(12)
@given(cases(views=3), st.data())
def test_a_view_over_views_says_what_the_oracle_says(case: Case, data: st.DataObject) -> None:
    """As of each of its instants; and runs over parts of the interval make the history of one run."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        first = Project(case, Path(folder))
        entity = first.specs.views["view_0"].entity
        of = {name: usable(first.plan(name).outputs) for name in case.views}
        names = [name for name in case.views if first.specs.views[name].entity == entity and of[name]]
        assume(names)
        fit = data.draw(st.sampled_from([case.start, *case.cuts, *case.probes, case.end]))
        case.docs.append(data.draw(over(entity, {name: of[name] for name in names}, fit)))
        project = Project(case, Path(folder))
        oracle = Over(project.specs.views["over"], {name: project.oracle(name) for name in names})
        starts = beginnings(project.specs.views, "over", min(case.start, fit))
        found = []
        for where, edges in (("whole", [case.end]), ("parts", [*case.cuts, case.end])):
            for until in edges:
                for name in names:
                    run(project.plan(name, where), starts[name], until, shards=2)
                history = run(project.plan("over", where), case.start, until, shards=2).history
            found.append(visible(history, project.plan("over", where).join_keys))
        assert [exact(table) for table in found[0]] == [exact(table) for table in found[1]]
        plan = project.plan("over")
        timeline = Timeline(found[0], plan.join_keys)
        instants = {at for member in oracle.members.values() for at in interesting(case, member)}
        check_values(timeline, oracle, plan.outputs, instants)
        check_changes(timeline, plan.view.grid, case.start, case.end)

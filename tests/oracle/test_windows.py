"""The windows stage against the oracle: thousands of small worlds, without files."""

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given

from limner.workers.windows.carried import is_carried
from tests.oracle.cleaning import NEVER
from tests.oracle.compare import Timeline, check_changes, check_values, interesting
from tests.oracle.direct import Direct
from tests.oracle.generate import Case, cases
from tests.oracle.oracle import Oracle
from tests.oracle.profiles import many
from tests.oracle.worlds import exact, oracle_of, settle, specs_of

pytestmark = pytest.mark.timeout(1800)


def build(case: Case, view: str) -> tuple[Direct, Oracle]:
    """The stage and the oracle of one view."""
    settle(case)
    specs = specs_of(case.docs)
    oracle = oracle_of(case, specs, view)
    for number, event in enumerate(oracle.events if case.withdrawn else ()):
        after = case.withdrawn[number % len(case.withdrawn)]
        event.until = NEVER if after is None else event.known + after
    keys = list(specs.entities[specs.views[view].entity].join_keys)
    return Direct(specs, oracle, keys, case.sources), oracle


@many(2000)
@given(cases())
def test_history_says_what_the_oracle_says_at_every_instant(case: Case) -> None:
    """As of each tick, or each instant of a view valued at every event, values are those of brute force."""
    stage, oracle = build(case, "view_0")
    history = stage.run(case.start, case.end)
    timeline = Timeline([history.base, history.changes], stage.keys)
    check_values(timeline, oracle, stage.outputs, interesting(case, oracle))
    check_changes(timeline, stage.grid, case.start, case.end)


@many(1000)
@given(cases())
def test_an_interval_is_the_sum_of_its_parts(case: Case) -> None:
    """One run over an interval gives the rows of consecutive runs over its parts; again gives the same."""
    stage, _ = build(case, "view_0")
    whole = stage.run(case.start, case.end)
    edges = [case.start, *case.cuts, case.end]
    parts = [stage.run(after, until) for after, until in pairwise(edges)]
    order = [(name, "ascending") for name in (*stage.keys, "event_timestamp")]
    assert exact(pa.concat_tables(part.changes for part in parts).sort_by(order)) == exact(whole.changes)
    assert exact(parts[0].base) == exact(whole.base)
    again = stage.run(case.start, case.end)
    assert (exact(again.base), exact(again.changes)) == (exact(whole.base), exact(whole.changes))


@many(1500)
@given(cases(summed=True))
def test_a_run_may_go_on_from_sums_handed_on(case: Case) -> None:
    """Consecutive runs that see only rows that come and go give the history of one run over all rows, byte for byte."""
    stage, _ = build(case, "view_0")
    assert all(is_carried(output) for output in (*stage.outputs, *stage.hidden) if output.source)
    whole = stage.run(case.start, case.end)
    parts, state = [], None
    for after, until in pairwise([case.start, *case.cuts, case.end]):
        parts.append(stage.go_on(after, until, state))
        state = parts[-1].state
    order = [(name, "ascending") for name in (*stage.keys, "event_timestamp")]
    assert exact(pa.concat_tables(part.changes for part in parts).sort_by(order)) == exact(whole.changes)
    assert exact(parts[0].base) == exact(whole.base)

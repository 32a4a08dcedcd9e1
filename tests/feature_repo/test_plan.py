"""What `limner plan` says: pure data, sorted, with reasons."""

from pathlib import Path

import pytest

from limner.feature_repo.apply import apply
from limner.feature_repo.compile import CLOSURE_TAG, FINGERPRINT_TAG, compile_project, profile_lists
from limner.feature_repo.differences import Reason
from limner.feature_repo.plan import PlanResult, Registered, compare, plan
from limner.feature_repo.project import Project
from limner.language.errors import LimnerError
from limner.workers.history.manifest import History, Segment
from limner.workers.history.served import serve
from tests.integration.feast_project import SPECS, events, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.at(make_project(tmp_path, events(50)))


def registered(project: Project) -> Registered:
    """What the registry says after the present specs were applied."""
    compiled = compile_project(project)
    views = {name: dict(compiled.objects[f"view_{name}"].tags) for name in compiled.plans}
    return Registered(views, profile_lists(compiled.specs))


def planned(project: Project, known: Registered, specs: str) -> PlanResult:
    """The plan for other specs."""
    (project.settings.specs / "shop.yaml").write_text(specs)
    return compare(project, compile_project(project), known)


def test_everything_is_new_at_first(project: Project) -> None:
    """Nothing is registered, nothing is rebuilt."""
    result = planned(project, Registered({}, {}), SPECS)
    assert [(c.view, c.action, c.reasons, c.rebuild) for c in result.views] == [("activity", "new", (), None)]
    assert [str(c) for c in result.profiles] == ["everything: new"]
    assert result.counts() == {"new": 1, "changed": 0, "dropped": 0, "unchanged": 0}
    assert not result.empty
    assert not result.unsafe


def test_comments_and_order_of_documents_change_nothing(project: Project) -> None:
    """The same specs written otherwise are the same."""
    known = registered(project)
    documents = SPECS.split("---\n")
    result = planned(project, known, "# a comment\n" + "---\n".join(reversed(documents)))
    assert result.empty
    assert result.counts()["unchanged"] == 1


def test_a_changed_key_is_named_with_old_and_new_value(project: Project) -> None:
    """The history that is served is what must be rebuilt."""
    known = registered(project)
    old = known.views["activity"][FINGERPRINT_TAG]
    history = History(project.history("activity") / old)
    history.folder.mkdir(parents=True)
    history.commit(Segment(after=0, until=86_400_000_000, files=()), [])
    serve(project.history("activity"), old)
    changed = SPECS.replace("over: [7d]}\n  spend", "over: [7d, 14d]}\n  spend").replace("at\n", "at\nlag: 1h\n")
    result = planned(project, known, changed)
    assert str(result.views[0]) == (
        'activity: changed (features.orders.over: ["7d"] -> ["7d", "14d"]; source events: lag added); '
        "its history from 1970-01-01 00:00 to 1970-01-02 00:00 UTC is rebuilt by the next run"
    )
    assert str(result.profiles[0]) == "everything: changed (+ activity:orders_14d)"


def test_a_description_is_a_change_without_a_rebuild(project: Project) -> None:
    """Words for people do not touch values."""
    known = registered(project)
    result = planned(project, known, SPECS.replace("every: 1d", "every: 1d\ndescription: What they do."))
    assert [(c.action, c.reasons, c.rebuild) for c in result.views] == [
        ("changed", (Reason("description added", "only tags"),), None)
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("over: 30d", "over: 720h", ["features.favourite.over: 30d -> 720h, only tags"]),
        ("over: 30d", "over: 31d", ["features.favourite.over: 30d -> 31d"]),
        ("every: 1d", "every: 1d\nonline: false", ["online added, served online or not"]),
        (
            "entity: user\nevent",
            "entity: user\ndescription: Rows.\nevent",
            ["source events: description added, only tags"],
        ),
        (
            'every: 1d\nfeatures:\n  orders: {count: "*", over: [7d]}',
            "every: 24h\nowner: me\nfeatures:\n  orders: {distinct: kind, over: [7d]}",
            [
                "every: 1d -> 24h, only tags",
                "features.orders.count removed",
                "features.orders.distinct added",
                "owner added, only tags",
            ],
        ),
    ],
)
def test_each_key_says_why_it_matters(project: Project, old: str, new: str, said: list[str]) -> None:
    """Whether values change is found by trying each key alone; a key that makes no sense alone counts."""
    assert old in SPECS
    result = planned(project, registered(project), SPECS.replace(old, new, 1))
    assert sorted(map(str, result.views[0].reasons)) == sorted(said)


def test_the_order_of_keys_changes_nothing(project: Project) -> None:
    """Neither that of features nor that of any other keys."""
    known = registered(project)
    lines = SPECS.splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if "newest:" in line)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    assert planned(project, known, "".join(lines)).empty
    other = SPECS.replace("path: events/*.parquet\nentity: user\n", "entity: user\npath: events/*.parquet\n")
    assert other != SPECS
    assert planned(project, known, other).empty


def test_a_plan_has_a_checksum_of_what_it_changes(project: Project) -> None:
    """The same for the same change, whatever has been computed meanwhile; another for another, or over another base."""
    known = registered(project)
    one = planned(project, known, SPECS.replace("over: 30d", "over: 20d"))
    history = History(project.history("activity") / known.views["activity"][FINGERPRINT_TAG])
    history.folder.mkdir(parents=True)
    history.commit(Segment(after=0, until=86_400_000_000, files=()), [])
    serve(project.history("activity"), known.views["activity"][FINGERPRINT_TAG])
    again = planned(project, known, "# said otherwise\n" + SPECS.replace("over: 30d", "over: 20d"))
    assert again.views[0].rebuild != one.views[0].rebuild
    assert again.checksum == one.checksum
    assert len(one.checksum) == 12
    others = [
        planned(project, known, SPECS),
        planned(project, known, SPECS.replace("over: 30d", "over: 21d")),
        planned(project, known, SPECS.replace("over: 30d", "over: 20d, description: Liked")),
        planned(project, Registered({}, {}), SPECS.replace("over: 30d", "over: 20d")),
    ]
    assert len({one.checksum, *(other.checksum for other in others)}) == 5


def test_going_back_to_a_definition_whose_history_exists_rebuilds_nothing(project: Project) -> None:
    """Histories are named by fingerprint and stay until they are removed."""
    known = registered(project)
    new = planned(project, known, SPECS.replace("lookback", "").replace("over: 30d", "over: 20d"))
    for fingerprint in (known.views["activity"][FINGERPRINT_TAG], new.views[0].fingerprint):
        history = History(project.history("activity") / str(fingerprint))
        history.folder.mkdir(parents=True)
        history.commit(Segment(after=0, until=10, files=()), [])
    serve(project.history("activity"), known.views["activity"][FINGERPRINT_TAG])
    assert planned(project, known, SPECS.replace("over: 30d", "over: 20d")).views[0].rebuild is None


def test_what_is_gone_is_dropped_and_unsafe(project: Project) -> None:
    """Taking something away that is served must be asked for."""
    known = registered(project)
    result = planned(project, known, SPECS[: SPECS.index("---\nfeature_view")])
    assert [str(change) for change in (*result.views, *result.profiles)] == [
        "activity: dropped (its values are no longer served)",
        "everything: dropped",
    ]
    assert result.unsafe


def test_other_encoder_files_are_a_reason_though_no_key_changed(project: Project) -> None:
    """Equal specs with another fingerprint: the files behind them are others."""
    known = registered(project)
    tags = {**known.views["activity"], FINGERPRINT_TAG: "0" * 64}
    result = planned(project, Registered({"activity": tags}, known.profiles), SPECS)
    assert result.views[0].action == "changed"
    assert "files of its encoder" in result.views[0].reasons[0].text
    assert CLOSURE_TAG in tags


def test_only_the_plan_that_was_reviewed_is_applied(tmp_path: Path) -> None:
    """Specs edited between plan and apply are refused; after an apply, nothing is left to do."""
    repo = make_project(tmp_path, events(50))
    reviewed = plan(tmp_path)
    specs = tmp_path / "specs" / "shop.yaml"
    specs.write_text(SPECS.replace("over: 30d", "over: 20d"))
    with pytest.raises(LimnerError, match="have changed since it was made"):
        apply(reviewed)
    specs.write_text(SPECS)
    before = Path.cwd()
    apply(reviewed)
    assert Path.cwd() == before
    assert plan(tmp_path).empty
    assert (repo.parent / "data" / "registry.db").exists()

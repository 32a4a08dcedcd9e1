"""`limner gc`: it finds what nothing needs, and takes nothing that is needed."""

import shutil
from pathlib import Path
from typing import Any

import pytest

import limner
from limner.feature_repo.garbage import Garbage, find, remove
from limner.feature_repo.rollback import rollback
from limner.language.errors import LimnerError
from limner.workers.history.lock import view_lock
from tests.integration.feast_project import DAY, FIRST, apply, events
from tests.integration.versions import SPECS, make_versions, write_weights

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("views")]
END = FIRST + 12 * DAY


@pytest.fixture
def root(tmp_path: Path, marking: None) -> Path:
    """Three versions of `taste`, two of them with other weights than the first; `looks` has two."""
    repo = make_versions(tmp_path / "project", events(count=100, users=6, days=20, seed=3))
    apply(repo).materialize(FIRST, END)
    write_weights(repo.parent, 2)
    apply(repo).materialize_incremental(END + DAY)
    (repo.parent / "specs" / "shop.yaml").write_text(SPECS.replace("over: 7d", "over: 9d"))
    apply(repo).materialize_incremental(END + 2 * DAY)
    return repo.parent


def named(garbage: Garbage) -> list[tuple[str, str]]:
    return [(item.kind, item.view) for item in garbage.items]


def values(root: Path) -> list[dict[str, Any]]:
    store = limner.Store(root)
    found = store.read("everything", list(range(1, 7))).to_pylist()
    store.close()
    return found


def test_one_earlier_version_is_kept_to_go_back_to(root: Path) -> None:
    """The first version of `taste` goes; a version back still works; embeddings stay while `looks` may go back."""
    found = find(root)
    assert named(found) == [("history", "taste")]
    assert found.items[0].why == "an earlier version"
    assert found.items[0].bytes > 0
    before = values(root)
    assert named(remove(root, found.items)) == [("history", "taste")]
    assert values(root) == before
    assert find(root).items == ()
    rollback(root, ["taste"])
    rollback(root, ["taste"])
    assert values(root) == before


def test_with_none_kept_only_what_is_served_stays(root: Path) -> None:
    """Then nobody needs the first weights' vectors either."""
    before = values(root)
    garbage = remove(root, find(root, keep=0).items, keep=0)
    assert sorted(named(garbage)) == [
        ("embeddings", ""),
        ("history", "looks"),
        ("history", "taste"),
        ("history", "taste"),
    ]
    assert values(root) == before
    assert len(list((root / "data" / "embeddings").iterdir())) == 1
    with pytest.raises(LimnerError, match="is gone"):
        rollback(root, ["taste"])
    apply(root / "feature_repo").materialize_incremental(END + 3 * DAY)


def test_what_is_not_applied_any_more_goes_whole(root: Path) -> None:
    """A dropped view's histories and pointer, with its folders; another view's stay."""
    specs = root / "specs" / "shop.yaml"
    text = specs.read_text()
    specs.write_text(text[: text.index("---\nfeature_view: looks")])
    apply(root / "feature_repo")
    found = find(root)
    assert {item.why for item in found.items if item.view == "looks"} == {"its view is not applied"}
    remove(root, found.items)
    assert not (root / "data" / "history" / "looks").exists()
    assert not (root / "data" / "online" / "looks").exists()
    assert find(root).items == ()
    assert "looks" not in (root / "data" / "history" / "served.json").read_text()


def test_what_a_run_works_on_is_left(root: Path) -> None:
    """A view that is locked keeps all it has; so do embeddings, which any run may be using."""
    found = find(root, keep=0)
    stage = root / "data" / "stage" / "taste"
    stage.mkdir(parents=True)
    (stage / "rows.parquet").write_text("half")
    with view_lock(root / "data" / "online" / "taste"):
        removed = remove(root, [*find(root, keep=0).items], keep=0)
    assert named(removed) == [("history", "looks")]
    assert all("is left: taste is being materialized" in note for note in removed.notes)
    assert stage.exists()
    assert len(found.items) == 4
    remove(root, find(root).items)
    assert not stage.exists()


def test_a_kill_in_the_middle_leaves_what_the_next_one_finishes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was on its way out is out of the way at once, and gone next time."""
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_a, **_k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            remove(root, find(root).items)
    assert named(find(root)) == [("half removed", "")]
    remove(root, find(root).items)
    assert find(root).items == ()
    assert not (root / "data" / ".gone").exists()

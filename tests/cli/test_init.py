"""`limner init` makes a project that works, and never overwrites one."""

from pathlib import Path

import pytest
from running import Limner


def test_a_new_project_is_valid_as_it_is(limner: Limner, tmp_path: Path) -> None:
    """What a newcomer gets must work before anything is edited."""
    assert limner("init", tmp_path / "store").code == 0
    ended = limner("-C", tmp_path / "store", "validate")
    assert ended.code == 0
    assert "1 feature views" in ended.out


def test_a_bare_project_has_no_example(limner: Limner, tmp_path: Path) -> None:
    """For those who bring their own specs."""
    assert limner("init", "--bare", tmp_path / "store").code == 0
    assert not (tmp_path / "store/example").exists()
    assert list((tmp_path / "store").rglob("*.yaml")) == [tmp_path / "store/feature_repo/feature_store.yaml"]


def test_a_folder_with_something_in_it_is_left_alone(limner: Limner, tmp_path: Path) -> None:
    """Nothing is ever overwritten."""
    (tmp_path / "mine.txt").write_text("precious")
    ended = limner("init", tmp_path)
    assert ended.code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_data_and_the_server_stay_out_of_git(limner: Limner, tmp_path: Path) -> None:
    """The ignore file is packaged under another name, and must arrive under its own."""
    limner("init", tmp_path / "store")
    assert {"/data/", "/.triton/"} <= set((tmp_path / "store/.gitignore").read_text().split())
    assert not list((tmp_path / "store").rglob("dot-*"))


@pytest.mark.parametrize(
    ("folder", "name"), [("my-store", "my_store"), ("Über", "ber"), ("_", "limner"), ("a.b", "a_b")]
)
def test_the_project_is_named_after_its_folder_in_letters_feast_takes(
    limner: Limner, tmp_path: Path, folder: str, name: str
) -> None:
    """Feast refuses other characters only when the first `apply` runs."""
    limner("init", tmp_path / folder)
    assert f"project: {name}\n" in (tmp_path / folder / "feature_repo/feature_store.yaml").read_text()

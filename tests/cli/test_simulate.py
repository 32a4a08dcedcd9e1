"""`limner simulate` makes a project that works at once, and never overwrites what is not its own."""

from pathlib import Path

import pytest
from running import Limner

SMALL = ("--shoppers", 40, "--events", 2_000, "--days", 60)


def test_the_project_is_valid_as_it_is_and_says_what_to_do_next(limner: Limner, tmp_path: Path) -> None:
    """Every column that the specs read is there."""
    made = limner("simulate", tmp_path / "shop", *SMALL)
    assert made.code == 0, made.err
    assert "2,000 events" in made.out
    assert "limner materialize 2025-01-01 2025-03-02" in made.out
    ended = limner("-C", tmp_path / "shop", "validate")
    assert ended.code == 0, ended.err
    assert "6 feature views" in ended.out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_language_makes_a_valid_project(limner: Limner, tmp_path: Path, language: str) -> None:
    """Terms are counted as the language needs it."""
    assert limner("simulate", tmp_path / "shop", *SMALL, "--language", language).code == 0
    assert limner("-C", tmp_path / "shop", "validate").code == 0
    analyzer = {"en": "word", "zh": "char"}[language]
    assert f"analyzer: {analyzer}}}" in (tmp_path / "shop/specs/shop.yaml").read_text()


def test_profiles_are_computed_without_any_server(limner: Limner, tmp_path: Path, in_process: None) -> None:
    """Applied, materialized, read: late rows and second copies included."""
    shop = tmp_path / "shop"
    assert limner("simulate", shop, *SMALL).code == 0
    for command in (("apply", "--yes"), ("materialize", "2025-01-01", "2025-03-02")):
        ended = limner("-C", shop, *command)
        assert ended.code == 0, ended.err
    profile = limner("-C", shop, "get", 1, "--json")
    assert profile.code == 0, profile.err
    assert '"spend_by_category"' in profile.out


def test_an_earlier_simulation_is_replaced_only_when_told(limner: Limner, tmp_path: Path) -> None:
    """With --force the result is what it would be in a new folder; what is not the simulation's stays."""
    shop = tmp_path / "shop"
    limner("simulate", shop, *SMALL, "--days", 200)
    (shop / "notes.txt").write_text("mine")
    refused = limner("simulate", shop, *SMALL)
    assert refused.code == 1
    assert "--force" in refused.err
    assert limner("simulate", shop, *SMALL, "--force").code == 0
    assert len(list((shop / "events").iterdir())) == 3
    assert (shop / "notes.txt").read_text() == "mine"
    assert limner("-C", shop, "validate").code == 0


def test_a_folder_of_somebody_else_is_left_alone(limner: Limner, tmp_path: Path) -> None:
    """Even with --force."""
    (tmp_path / "events").mkdir()
    (tmp_path / "events/mine.parquet").write_text("precious")
    for arguments in ((), ("--force",)):
        ended = limner("simulate", tmp_path, *SMALL, *arguments)
        assert ended.code == 1
        assert str(tmp_path) in ended.err
        assert limner("simulate", tmp_path / "events/mine.parquet", *SMALL, *arguments).code == 1
    assert (tmp_path / "events/mine.parquet").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["events"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--shoppers", 0), "--shoppers 0: expected a number from 1"),
        (("--events", -5), "--events -5: expected"),
        (("--days", 5000), "--days 5000: expected a number from 1 to 3,660"),
        (("--begin", "yesterday"), "--begin 'yesterday': expected a day such as 2025-01-01"),
        (("--begin", "1950-01-01"), "--begin 1950-01-01: expected a day from 1970-01-01"),
        (("--language", "fr"), "--language 'fr': expected one of en, zh, both"),
        (("--seed", -1), "--seed -1: expected"),
        (("--shoppers", 3, "--events", 5000), "at least --shoppers 5"),
    ],
)
def test_numbers_that_make_no_shop_are_one_clear_message(
    limner: Limner, tmp_path: Path, arguments: tuple[object, ...], says: str
) -> None:
    """Nothing is written."""
    ended = limner("simulate", tmp_path / "shop", *arguments)
    assert ended.code == 1
    assert says in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not (tmp_path / "shop").exists()

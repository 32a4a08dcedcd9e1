"""A folder of specs becomes one value, or one error with everything that is wrong."""

from pathlib import Path

import pytest

from limner.language.durations import Duration
from limner.language.errors import LimnerError, SpecError
from limner.language.models import Grid
from limner.language.repo import load, load_texts
from tests.language.examples import BASE, complaint, specs, view

PROJECT = Path(__file__).parents[2] / "specs"


def test_the_demo_specs_load() -> None:
    found = load(PROJECT)
    assert "shopper_taste" in found.views
    assert found.views["shopper_taste"].source == "purchases"


def test_every_yaml_file_below_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.yml").write_text("entity: a\njoin_keys: {id: int}\n")
    (tmp_path / "b.yaml").write_text("\ufeffentity: b\njoin_keys: {id: int}\n", encoding="utf-8")
    (tmp_path / ".hidden.yaml").write_text("nonsense")
    (tmp_path / "notes.txt").write_text("nonsense")
    assert set(load(tmp_path).entities) == {"a", "b"}


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LimnerError, match="limner init"):
        load(tmp_path / "specs")


def test_problems_of_all_files_are_reported_together_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("entity: A\njoin_keys: {id: number}\n---\nkind: x\n")
    (tmp_path / "b.yaml").write_text("encoder: e\n")
    (tmp_path / "c.yaml").write_bytes(b"entity: \xff\n")
    with pytest.raises(SpecError) as caught:
        load(tmp_path)
    places = [(Path(p.file).name, p.line) for p in caught.value.problems]
    assert places == [("a.yaml", 1), ("a.yaml", 2), ("a.yaml", 4), ("b.yaml", 1), ("c.yaml", 1)]


def test_files_below_the_working_directory_are_shown_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.yaml").write_text("entity: a\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=r"^specs/a\.yaml:1:1: "):
        load(tmp_path / "specs")


def test_a_broken_document_does_not_make_its_name_unknown() -> None:
    text = complaint("encoder: bert\nmodel: [x]", view('{taste: {embed: "{title}", encoder: bert}}'))
    assert "model" in text
    assert "no encoder" not in text


def test_an_unreadable_file_makes_no_name_unknown() -> None:
    text = complaint(view("{orders: {count: '*'}}").replace("purchases", "elsewhere"), "a: [1")
    assert "not valid YAML" in text
    assert "no source" not in text


def test_grids_start_on_a_monday_at_midnight_utc_plus_at() -> None:
    found = specs(view("{orders: {count: '*'}}", more='at: "02:30"')).views["taste"]
    assert found.every == Duration("1d")
    assert found.grid == Grid(step=86_400_000_000, offset=9_000_000_000)
    assert specs(view("{orders: {count: '*'}}").replace("1d", "event")).views["taste"].grid == Grid(step=None)


def test_lookup_keys_are_pairs_of_columns_however_written() -> None:
    def pairs(keys: str) -> tuple[tuple[str, str], ...]:
        source = f"source: clicks\npath: x.csv\nevent_timestamp: ts\nlookup: {{products: {keys}}}"
        return specs(source).sources["clicks"].lookup_pairs("products")

    assert pairs("id") == (("id", "id"),)
    assert pairs("[id, shop]") == (("id", "id"), ("shop", "shop"))
    assert pairs("{item: id}") == (("item", "id"),)


def test_a_password_may_come_from_the_environment() -> None:
    source = "source: s\ntable: t\nevent_timestamp: ts\ndatabase: "
    for url in (
        "${SHOP_DB}",
        "postgresql+psycopg://app:${PW}@db:5432/shop",
        "sqlite:///data/shop.db",
        "mysql://app@db/x",
    ):
        assert specs(f"{source}{url}").sources["s"].database == url
    for url in ("postgresql://app:pw@db/x", "postgresql://db/x?user=a&password=pw", "postgresql://app:a${PW}@db/x"):
        assert "${NAME}" in complaint(f"{source}{url}")


def test_specs_are_values() -> None:
    assert load_texts({"a.yaml": BASE}) == load_texts({"b.yaml": f"# a comment\n{BASE}"})

"""Versions of models of sequences: nothing known after the cut-off has a part in one; refusals say why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.workers.evaluation.ranking import Ranking, Relevant, Scored
from limner.workers.models.pins import pins_of
from limner.workers.models.sequences.events import Following
from limner.workers.models.sequences.learned import Content, files, read_encoder
from limner.workers.models.sequences.measures import ranked
from limner.workers.models.versions import folder_of
from tests.workers.models.sequences.chains import CUT, DAY, SPECS, Visit, fitted, specs, visits, write

QUICK = SPECS.replace("epochs: 6", "epochs: 1")


def _files(root: Path, rows: list[Visit], shards: int = 2) -> dict[str, bytes]:
    root.mkdir()
    write(root, rows)
    fitted(root, specs(root, QUICK), shards=shards)
    folder = folder_of(root / "data", "habits")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.*"))
        if path.suffix in (".json", ".safetensors")
    }


def test_what_is_known_after_the_cut_off_changes_no_byte(tmp_path: Path) -> None:
    """Neither what happened later, nor what happened before and was written later; nor the order of rows, or shards."""
    rows = visits(users=25)
    known = [row for row in rows if row.at < CUT and row.written <= CUT]
    random = np.random.default_rng(1)
    later = [replace(row, user=int(random.integers(1, 90)), category="c1") for row in rows if row not in known]
    more = [Visit(7, CUT - DAY, CUT + 1, "c2"), Visit(99, CUT, CUT, "c3")]
    assert len(later) > 100
    before = _files(tmp_path / "a", rows)
    assert {Path(name).name for name in before} == {"model.json", "version.json", "arrays.safetensors"}
    assert _files(tmp_path / "b", [*reversed(known), *later, *more], shards=5) == before
    assert _files(tmp_path / "c", [*known, Visit(3, CUT - DAY, CUT, "c2")]) != before


@pytest.mark.parametrize("architecture", ["gru", "transformer"])
def test_what_follows_is_recovered_where_own_habits_say_little(architecture: str, tmp_path: Path) -> None:
    """A planted chain: which of two categories comes next, the channel says; shoppers have all of them."""
    write(tmp_path, visits())
    version = fitted(
        tmp_path, specs(tmp_path, SPECS.replace("length: 8", f"length: 8\n  architecture: {architecture}"))
    ).version
    metrics = version.metrics
    assert metrics["ndcg_at_10"] > 0.85
    assert metrics["own_frequency_ndcg_at_10"] < 0.5
    assert metrics["popularity_ndcg_at_10"] < 0.5
    assert [note[: note.index(" in ")] for note in version.notes] == ["beats own frequency", "beats popularity"]
    found = read_encoder(tmp_path / "data", "habits", version.id)
    assert set(found.items) == {f"c{number}" for number in range(12)}


def test_arrays_are_written_as_they_are_however_they_lie_in_memory() -> None:
    """A matrix that was turned, or of which every other column was taken, comes back the same."""
    content = Content(kind="gru", columns=("category",), words=(("a", "b"),), length=2, dim=2)
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = {"turned": whole.T, "some": whole[:, ::2], "plain": whole}
    found = load(files(content, arrays)["arrays.safetensors"])
    assert {name: each.tolist() for name, each in found.items()} == {n: each.tolist() for n, each in arrays.items()}


def test_what_does_not_beat_its_baselines_is_reported_as_such(tmp_path: Path) -> None:
    """Where all is chance, nothing is learned."""
    random = np.random.default_rng(4)
    rows = [replace(row, category=f"c{random.integers(6)}", channel="web") for row in visits(users=30)]
    write(tmp_path, rows)
    version = fitted(tmp_path, specs(tmp_path, QUICK)).version
    assert all(note.startswith(("does not beat", "is worse than")) for note in version.notes)


def test_ranks_are_those_of_the_evaluation() -> None:
    random = np.random.default_rng(0)
    scores = np.round(random.normal(size=(40, 30)), 1)  # some are equal
    count = random.integers(1, 15, 40)
    item = np.concatenate([np.sort(random.choice(31, each, replace=False)) for each in count]) + 1  # 1: no item
    follows = Following(np.arange(40), np.arange(40), count, item)
    ours = ranked(follows, 30, lambda some: scores[some])
    candidates = Scored(np.repeat(np.arange(40), 30), np.tile(np.arange(30), 40), scores.reshape(-1))
    theirs = Ranking.of(candidates, Relevant(follows.owner, item - 2, np.ones(len(item))))
    np.testing.assert_allclose(ours.ndcg, theirs.ndcg(10), rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.recall, theirs.recall(10), rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.hit, theirs.hit(10), rtol=0, atol=1e-12)


def test_a_definition_has_its_own_versions(tmp_path: Path) -> None:
    write(tmp_path, visits(users=4))
    found = specs(tmp_path, QUICK)
    assert fitted(tmp_path, found).registered
    assert fitted(tmp_path, found).there
    data = tmp_path / "data"
    assert len(pins_of(found, "habits", tmp_path, data)) == 1
    assert len(pins_of(specs(tmp_path, QUICK.replace("refit: 30d", "refit: 9d")), "habits", tmp_path, data)) == 1
    changes = [("length: 8", "length: 9"), ("dim: 16", "dim: 8"), ("least: 3", "least: 2"), ("epochs: 1", "epochs: 2")]
    changes += [("amount > 0", "amount > -9"), ("[channel]", "[]"), ("refit: 30d", "seed: 1")]
    for old, new in changes:
        assert pins_of(specs(tmp_path, QUICK.replace(old, new)), "habits", tmp_path, data) == (), new


EARLY = parse_instant("2025-12-01")


@pytest.mark.parametrize(
    ("rows", "cut_off", "said"),
    [
        (visits(users=4), EARLY, "no row of visits that is known by 2025-12-01T00:00:00Z has a category"),
        ([replace(each, category="c1") for each in visits(users=4)], CUT, "fewer than two values of category were"),
        ([Visit(user, 1, 1, f"c{user % 3}") for user in range(30)], CUT, "nobody has rows of visits at two instants"),
    ],
)
def test_what_cannot_be_learned_is_said(tmp_path: Path, rows: list[Visit], cut_off: int, said: str) -> None:
    write(tmp_path, rows)
    with pytest.raises(LimnerError, match=said):
        fitted(tmp_path, specs(tmp_path, QUICK), cut_off)


def test_too_little_to_measure_on_is_said(tmp_path: Path) -> None:
    write(tmp_path, [Visit(user, day * DAY, day * DAY, f"c{day % 3}") for user in (1, 2) for day in range(8)])
    version = fitted(tmp_path, specs(tmp_path, QUICK)).version
    assert version.metrics == {}
    assert version.notes == ("not measured: there is too little to keep later rows apart",)

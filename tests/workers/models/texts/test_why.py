"""Which texts moved a pooled feature: the value is what is served, and each text is worth what is gone without it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner.language.errors import LimnerError
from limner.workers.history.served import switch
from limner.workers.models.texts.why import pooled_names, texts_behind
from tests.workers.models.texts.test_views import BEGIN, CUTS, END, _as_of, _plan, _run
from tests.workers.models.texts.world import DAY, Review, fitted, reviews, specs, text, write

ALSO = """  likes: {interests: "{body}", model: likes, over: 60d}
  vector: {embed: "{body}", encoder: counts, over: 30d, pool: {mean: {newest: 3}}}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Review], list[dict[str, Any]]]:
    root, rows = tmp_path_factory.mktemp("why"), reviews(count=250)
    write(root, rows)
    found = specs(root, text().replace('  likes: {interests: "{body}", model: likes, over: 60d}\n', ALSO))
    fitted(root, found, CUTS[0])
    plan = _plan(found, root)
    history = _run(plan, BEGIN, END)
    switch(root / "data" / "history", {"voice": plan.fingerprint})
    return root, rows, history


@pytest.mark.parametrize("name", ["mood_good_14d", "mood_bad_60d", "recent", "vector"])
def test_a_text_is_worth_what_is_gone_without_it(
    name: str, served: tuple[Path, list[Review], list[dict[str, Any]]]
) -> None:
    root, rows, history = served
    asked = 0
    for user in range(1, 7):
        row = _as_of(history, user, END)
        if row is None or row[name] is None:
            continue
        found = texts_behind(root, root / "data", str(user), name)
        assert found is not None
        value = list(found.value.values()) if isinstance(found.value, dict) else found.value
        assert value == pytest.approx(row[name], abs=2e-6)
        assert sum(each.share for each in found.texts) == pytest.approx(1)
        mine = [each for each in rows if each.user == user and each.written <= END]
        if name == "mood_good_14d":
            assert sorted(each.time for each in found.texts) == [each.at for each in mine if each.at >= END - 14 * DAY]
            said = np.array([each.says for each in found.texts])
            assert value == pytest.approx(said.mean())
            for number, each in enumerate(found.texts):
                rest = np.delete(said, number)
                assert each.moves == (pytest.approx(value - rest.mean()) if len(rest) else None)
        if name == "vector":
            recent = [each for each in mine if each.at >= END - 30 * DAY]
            assert [each.says for each in found.texts] == [None] * min(3, len(recent))
        moves = [abs(each.moves or 0.0) for each in found.texts]
        assert moves == sorted(moves, reverse=True)
        asked += 1
    assert asked > 3


def test_what_says_nothing_is_not_explained(served: tuple[Path, list[Review], list[dict[str, Any]]]) -> None:
    root, data = served[0], served[0] / "data"
    assert texts_behind(root, data, "1", "texts") is None
    assert texts_behind(root, data, "1", "other.recent") is None
    assert "voice.mood_good_14d" in pooled_names(root, data)
    with pytest.raises(LimnerError, match="model likes says nothing yet: fit it"):
        texts_behind(root, data, "1", "voice.likes_baby")
    with pytest.raises(LimnerError, match="mood_bad_14d of 99 is made of no text"):
        texts_behind(root, data, "99", "mood_bad_14d")

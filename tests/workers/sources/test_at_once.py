"""Few rows in one statement: the very rows, texts and reasons that a preparation by way of files gives."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from limner.language.models import Source
from limner.language.template import Template
from limner.workers.sources.at_once import AtOnce
from limner.workers.sources.prepare import prepare
from limner.workers.sources.request import RowMeasure, RowText
from limner.workers.sources.rows import Lasting
from tests.oracle.profiles import many
from tests.workers.sources import world

CLEAN = {
    "cast": {"user": "int", "amount": "float", "n": "int", "good": "bool", "seen": "timestamp"},
    "text": {"kind": {"case": "lower"}},
    "missing": {"n": {"fill": 7}},
    "range": {"amount": {"min": 0, "max": 100, "otherwise": "quarantine"}},
    "drop": ["kind = 'bot'"],
}
EVENTS = world.source(
    path="events.jsonl",
    format="jsonl",
    event_timestamp="at",
    created_timestamp="received",
    rename={"user": "who"},
    where="n is null or n < 1000",
    tie_break=["n"],
    clean=CLEAN,
    lookup={"items": "kind"},
    stream={"id": "id", "lateness": "1d"},
)
ITEMS = world.source("items", path="items.jsonl", format="jsonl", clean={"quarantine": ["brand = 'None'"]})
COLUMNS = ("amount", "kind", "n", "good", "seen", "brand")
texts = st.sampled_from(
    [None, "", " ", "Milk", "BOT", "a  b", "Ärger and  Öl\n", "the milk is good", "a\u2028b", "x" * 300]
)
row = st.fixed_dictionaries(
    {
        "who": st.sampled_from([1, 1, 2, "3", "4.0", "five", None, 6.5]),
        "at": st.sampled_from(["2026-01-05T10:00:00Z", "2026-01-05 10:00:00,5", "2026-01-06", "soon", None]),
        "received": st.sampled_from(["2026-01-06T10:00:00+01:00", "2026-01-07T00:00Z", None]),
        "amount": st.sampled_from([0, 1.5, "2", "1e3", -1, "nan", "inf", "much", None]),
        "n": st.sampled_from([1, 2, "3", 1000, None, "x"]),
        "good": st.sampled_from([True, "no", "perhaps", None]),
        "seen": st.sampled_from(["2026-01-01", "never", None]),
        "kind": texts,
        "words": texts,
    }
)


def written(root: Path, rows: Sequence[dict[str, Any]]) -> None:
    lines = (json.dumps({**each, "id": f"e{number}"}) + "\n" for number, each in enumerate(rows))
    (root / "events.jsonl").write_text("".join(lines))


@many(8)
@given(batches=st.lists(st.lists(row, min_size=1, max_size=12), min_size=1, max_size=3), total_order=st.booleans())
def test_rows_texts_and_reasons_are_those_of_a_preparation(
    batches: list[list[dict[str, Any]]], total_order: bool
) -> None:
    """Run again for other rows in the same file, too."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        written(root, [dict.fromkeys(("who", "at", "received", *COLUMNS[:-1], "words"), 1)])
        brands = [("milk", "Acme"), ("a  b", "Bolt"), ("a  b", "Again"), ("x" * 300, "None"), (None, "Nobody")]
        lines = (json.dumps({"kind": kind, "brand": brand}) + "\n" for kind, brand in brands)
        (root / "items.jsonl").write_text("".join(lines))
        plain = RowText(Template("{kind}: {words} {brand}"), "query: ")
        asked = world.request(
            root,
            world.specs(EVENTS, ITEMS),
            COLUMNS,
            texts={
                "all": plain,
                "english": RowText(Template("{words}"), "", ("en",)),
                "kinds": RowText(Template("{kind}")),
            },
            measures={"length": RowMeasure(plain, "characters")},
            total_order=total_order,
            data=root / "stage",
        )
        lasting, other = Lasting(root), Lasting(root)
        assert AtOnce.fits(asked)
        found = AtOnce(asked, lasting, "id")
        for rows in batches:
            written(root, rows)
            clean = found.run()
            shutil.rmtree(asked.stage)
            asked.stage.mkdir()
            by_files = prepare(asked, other)
            assert clean.rows.equals(pq.read_table(by_files.shards[0]), check_metadata=True)
            for column, file in by_files.texts.items():
                assert clean.texts[column] == {each["digest"]: each["text"] for each in pq.read_table(file).to_pylist()}
            aside = [] if by_files.quarantine_file is None else pq.read_table(by_files.quarantine_file).to_pylist()
            events = [(each["id"], each["reason"]) for each in aside if each["source"] == "events"]
            assert sorted(clean.quarantined) == sorted(events)
        lasting.close()
        other.close()


def test_what_one_statement_is_not_enough_for_is_told(tmp_path: Path) -> None:
    """Duplicates, and what is looked up as of a time; a lookup of which nothing is asked does no harm."""
    world.write(tmp_path, "items", {"item": ["a"], "brand": ["Acme"], "since": world.micros(1)})
    world.write(tmp_path, "events", {"user": [1], "at": world.micros(1), "item": ["a"]})

    def fits(items: Source, column: str = "brand", **keys: Any) -> bool:
        events = world.source(event_timestamp="at", lookup={"items": "item"}, **keys)
        return AtOnce.fits(world.request(tmp_path, world.specs(events, items), [column]))

    timed = world.source("items", event_timestamp="since")
    assert fits(world.source("items"))
    assert not fits(timed)
    assert fits(timed, "item")
    assert not fits(world.source("items"), clean={"drop_duplicates": ["item"]})

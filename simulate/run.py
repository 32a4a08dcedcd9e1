"""A whole simulation in a folder: what the shop sees, the truth beside it, specs that read it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

from limner.language.errors import LimnerError
from limner.simulate import shop, tables, truth
from limner.simulate.behaviour import behave, blocks
from limner.simulate.files import Files, write
from limner.simulate.options import Options

MARK = "simulation.json"  # says that a folder's files are a simulation's, and of what options
WRITTEN = ("events", "truth", "shoppers.parquet", "products.parquet", "coupons.parquet", "offers.parquet")
ANALYZERS = {"en": "word", "zh": "char", "both": "char_wb"}  # Chinese has no spaces between words

Counts = dict[str, int]


def remove(folder: Path) -> None:
    """Remove an earlier simulation's files, its specs among them. LimnerError where the folder is not one's."""
    if not (folder / MARK).is_file():
        raise LimnerError(
            f"{folder} holds no simulation ({MARK} is not there), so nothing in it is replaced: name a new one"
        )
    for name in WRITTEN:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def simulate(folder: Path, options: Options, told: Callable[[int], None] = lambda events: None) -> Counts:
    """Write the simulation; returns how many rows of what there are. `told` hears how many events each block had.

    The bytes depend on the options alone (and on the versions of NumPy and Arrow).
    """
    counts: Counts = {"shoppers": options.shoppers, "events": options.events, "written twice": 0}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _mark(folder, options, None)
        write(folder / "products.parquet", shop.products(options))
        write(folder / "coupons.parquet", shop.coupons(options))
        write(folder / "truth" / "products.parquet", truth.products(options))
        with Files(folder) as written:
            for number in range(blocks(options)):
                block = behave(options, number)
                events = tables.events(options, block)
                counts["written twice"] += len(events) - len(block.rows)
                written.events(events)
                written.append("shoppers", tables.shoppers(block))
                written.append("offers", tables.offers(options, block))
                for name, table in truth.truths(options, block).items():
                    written.append(f"truth/{name}", table)
                    if name in {"reviews", "searches", "life_events"}:
                        counts[name.replace("_", " ")] = counts.get(name.replace("_", " "), 0) + len(table)
                told(len(block.rows))
        _specs(folder, options)
        _mark(folder, options, counts)
    except OSError as error:
        raise LimnerError(f"cannot write {folder}: {error}") from error
    return counts


def _specs(folder: Path, options: Options) -> None:
    (folder / "specs").mkdir(exist_ok=True)
    said = {"$ANALYZER": ANALYZERS[options.language], "$HALF": str(half(options))}
    for template in sorted((files("limner.simulate") / "specs").iterdir(), key=lambda path: path.name):
        text = template.read_text(encoding="utf-8")
        for name, value in said.items():
            text = text.replace(name, value)
        (folder / "specs" / template.name).write_text(text, encoding="utf-8")


def half(options: Options) -> date:
    """The day by which models learn: half of the simulated time lies before it, to be learned from."""
    return options.begin + timedelta(days=options.days // 2)


def _mark(folder: Path, options: Options, counts: Counts | None) -> None:
    """`counts` None: it has only begun."""
    said = {"options": {**asdict(options), "begin": options.begin.isoformat()}, "counts": counts}
    (folder / MARK).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")

"""One simulated shop for all tests that ask what is in it."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from limner.simulate.options import Options
from limner.simulate.run import simulate

OPTIONS = Options(shoppers=2_000, events=240_000, seed=11)

Table = Callable[[str], pd.DataFrame]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of 2,000 shoppers and 240,000 events."""
    folder = tmp_path_factory.mktemp("shop")
    simulate(folder, OPTIONS)
    return folder


@pytest.fixture(scope="session")
def table(shop: Path) -> Table:
    """Read a table by name; of `events`, each event once."""
    known: dict[str, pd.DataFrame] = {}

    def read(name: str) -> pd.DataFrame:
        if name not in known:
            path = shop / name if name == "events" else shop / f"{name}.parquet"
            found = pq.read_table(path).to_pandas()
            known[name] = found.drop_duplicates("event_id") if name == "events" else found
        return known[name]

    return read

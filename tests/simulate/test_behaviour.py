"""A block's events are exactly its share, each within its shopper's time."""

import numpy as np

from limner.simulate.behaviour import behave
from limner.simulate.options import Options
from limner.simulate.streams import BLOCK


def test_visits_that_go_on_past_the_end_are_cut_there() -> None:
    """Of many visits in a few days some cross the last midnight, the shopper's or everybody's."""
    block = behave(Options(shoppers=BLOCK, events=300_000, days=20), 0)
    assert len(block.rows) == 300_000
    assert (block.rows.at < block.lives.ends[block.rows.who]).all()
    assert (block.rows.at >= block.people.begins[block.rows.who]).all()
    assert (block.lives.ends - block.rows.at.max()).min() < 60_000_000  # µs: somebody is there to the last minute


def test_shares_add_up_whatever_the_number_of_shoppers() -> None:
    """The last block is smaller than the others."""
    options = Options(shoppers=BLOCK + 3, events=10_007, days=50)
    blocks = [behave(options, number) for number in (0, 1)]
    assert [len(block.people) for block in blocks] == [BLOCK, 3]
    assert sum(len(block.rows) for block in blocks) == 10_007
    assert blocks[1].first_event == len(blocks[0].rows) + 1
    assert len(np.unique(blocks[1].rows.who)) <= 3

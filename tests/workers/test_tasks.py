"""Tasks in this process behave as tasks on a cluster do."""

from contextlib import closing

import pytest

from limner.workers.tasks import InProcess


def test_items_are_read_one_at_a_time() -> None:
    """No item is taken before the result of the one before it was."""
    taken: list[int] = []

    def items() -> "list[int]":
        for number in range(5):
            taken.append(number)
            yield number

    with closing(InProcess().map(str, items())) as results:
        assert next(results) == "0"
        assert taken == [0]


def test_the_first_failure_is_raised_as_it_is() -> None:
    """The type survives."""
    with pytest.raises(ZeroDivisionError):
        list(InProcess().map(lambda number: 1 // number, [1, 0, 2]))

"""From scores to probabilities, row by row: nothing depends on which other texts are looked at."""

import math

import numpy as np

from limner.workers.derive.numbers import each
from limner.workers.derive.values import Array

CHUNK = 4096  # rows at a time: their numbers stay in the processor's cache


def probabilities(scores: Array, temperature: float) -> Array:
    """[rows, classes] that add up to 1, of scores [rows, classes]: `softmax(score / temperature)`."""
    scaled = scores / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    parts = each(math.exp, scaled.reshape(-1)).reshape(scaled.shape)
    total = np.zeros(len(parts))
    for place in range(parts.shape[1]):  # one after the other: a row's sum does not depend on other rows
        total += parts[:, place]
    found: Array = parts / total[:, None]
    return found


def products(rows: Array, weights: Array) -> Array:
    """[rows, classes] of rows [rows, inputs] and weights [classes, inputs].

    Added up one input after the other: a library's product rounds otherwise for another number of rows.
    """
    found = np.zeros((len(rows), len(weights)))
    for begin in range(0, len(rows), CHUNK):
        part = np.ascontiguousarray(rows[begin : begin + CHUNK].T)
        total = found[begin : begin + CHUNK]
        for place, column in enumerate(part):
            total += column[:, None] * weights[None, :, place]
    return found


def unit(rows: Array) -> Array:
    """Rows of length 1; those of length 0 stay."""
    squares = np.zeros(len(rows))
    for begin in range(0, len(rows), CHUNK):
        for column in np.ascontiguousarray(rows[begin : begin + CHUNK].T):
            squares[begin : begin + CHUNK] += column * column
    length = np.sqrt(squares)
    found: Array = rows / np.where(length > 0, length, 1.0)[:, None]
    return found

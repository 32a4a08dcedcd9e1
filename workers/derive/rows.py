"""Derived features over rows of the features they are made of: each after its operands."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from limner.language.derived_base import Derived
from limner.language.features import Asking, Vector
from limner.language.outputs import Output
from limner.workers.arrow_types import arrow_type
from limner.workers.derive.fit import Fit
from limner.workers.derive.kinds import derive
from limner.workers.derive.scaling import Input, scaled
from limner.workers.models.sequences.learned import Behaving
from limner.workers.models.speaking import Speaking, spoken

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Fits = Mapping[str, Fit | Speaking | Behaving]
"""What was learned as of an instant, by the output it is for."""


def ordered(outputs: Sequence[Output]) -> tuple[Output, ...]:
    """The derived ones among `outputs`, each after those it is made of."""
    left = {output.name: output for output in outputs if isinstance(output.feature, Derived)}
    done: dict[str, Output] = {}
    while left:
        for name, output in list(left.items()):
            if not any(each in left for _, names in output.inputs for each in names):
                done[name] = left.pop(name)
    return tuple(done.values())


def rows(outputs: Sequence[Output], columns: Mapping[str, pa.Array], instant: Ints, fits: Fits) -> dict[str, pa.Array]:
    """The values of the derived ones among `outputs`, of rows whose other outputs are `columns`.

    `instant` (µs) is that of each row: before its fit a fitted feature is null. A feature whose fit is not made yet is
    null, too.
    """
    known = dict(columns)
    dims = {output.name: output.type.dim for output in outputs}
    wanted = ordered(outputs)
    for output in wanted:
        feature = output.feature
        assert isinstance(feature, Derived)
        inputs = {operand: [Input(each, known[each], dims[each]) for each in names] for operand, names in output.inputs}
        fit = fits.get(output.name)
        if isinstance(feature, Asking):
            assert fit is None or isinstance(fit, Speaking)
            operands = {operand: each[0].values for operand, each in inputs.items()}
            known[output.name] = spoken(fit, feature, operands, instant, arrow_type(output.type.base))
        elif feature.fitted is None and not isinstance(feature, Vector):
            known[output.name] = derive(feature, {operand: each[0].values for operand, each in inputs.items()})
        else:
            after: Bools = np.ones(len(instant), bool) if feature.fitted is None else instant >= feature.fitted
            assert fit is None or isinstance(fit, Fit)
            known[output.name] = scaled(feature, output.type, inputs, after, fit)
    return {output.name: known[output.name] for output in wanted}


def changes(column: pa.Array) -> Bools:
    """[rows] whether a value differs from the one before it; the first always does."""
    differs = np.ones(len(column), bool)
    if len(column) < 2:
        return differs
    valid = np.asarray(column.is_valid())
    differs[1:] = valid[1:] != valid[:-1]
    both = np.flatnonzero(valid[1:] & valid[:-1])
    if pa.types.is_list(column.type) and len(both):
        present = column.drop_null()
        matrix = present.flatten().to_numpy(zero_copy_only=False).reshape(len(present), -1)
        place = np.cumsum(valid) - 1
        differs[both + 1] = (matrix[place[both + 1]] != matrix[place[both]]).any(axis=1)
    elif not pa.types.is_list(column.type):
        indices = column.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
        differs[1:] |= indices[1:] != indices[:-1]
    return differs

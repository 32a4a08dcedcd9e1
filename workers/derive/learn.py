"""From the values of a population to the fit of a feature."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from limner.language import features as f
from limner.language.derived_base import Derived
from limner.language.features.fusion import Scalars
from limner.language.outputs import Output
from limner.workers.derive.fit import Fit, Scale
from limner.workers.derive.population import Moments, moments, principal, sample
from limner.workers.derive.rows import Fits, ordered
from limner.workers.derive.scaling import Input, concatenated


@dataclass(frozen=True)
class Population:
    """What one shard of the population adds to a fit; `sample` only where components are wanted."""

    entities: int
    moments: Mapping[str, Moments]
    sample: pa.Table | None


Learn = Callable[[int, Sequence[Output], Fits], Mapping[str, Sequence[Population]]]
"""The populations, shard by shard, of some outputs as of an instant (µs), given the fits made before."""


def make(outputs: Sequence[Output], until: int, made: Fits, learn: Learn) -> dict[str, Fit]:
    """The fits whose instant is not after `until`, in the order in which they can be made; those in `made` are not.

    A fit whose operands are fitted themselves knows the values these had at its own instant.
    """
    fits = dict(made)
    fresh: dict[str, Fit] = {}
    left = [each for each in ordered(outputs) if each.name not in fits and _fitted(each, until) is not None]
    while left:
        instant = min(_instant(each) for each in left)
        now = [each for each in left if _instant(each) == instant]
        names = {each.name for each in now}
        # of those of one instant, first those that no other one is made of
        ready = [each for each in now if not names & {one.name for one in needed(outputs, each)}]
        for name, parts in learn(instant, ready, fits).items():
            fits[name] = fresh[name] = fit_of(next(each for each in ready if each.name == name), parts, outputs)
        left = [each for each in left if each.name not in fits]
    return fresh


def needed(outputs: Sequence[Output], output: Output) -> tuple[Output, ...]:
    """The outputs that one is made of, and those that they are made of, in the order of `outputs`."""
    by_name = {each.name: each for each in outputs}
    wanted: set[str] = set()
    left = [name for _, names in output.inputs for name in names]
    while left:
        name = left.pop()
        if name not in wanted:
            wanted.add(name)
            left += [each for _, names in by_name[name].inputs for each in names]
    return tuple(each for each in outputs if each.name in wanted)


def population(rows: pa.Table, keys: Sequence[str], output: Output) -> Population:
    """What these entities (a row each, with the values the output is made of) add to its fit."""
    names = {name for _, each in output.inputs for name in each}
    found = {name: moments(rows[name]) for name in {name for _, name in _scales(output)}}
    projects = isinstance(output.feature, f.Vector) and output.feature.project is not None
    return Population(len(rows), found, sample(rows.select([*keys, *sorted(names)]), keys) if projects else None)


def fit_of(output: Output, parts: Sequence[Population], outputs: Sequence[Output]) -> Fit:
    """The fit of an output to the population made of `parts`, which may be in any order."""
    scales = {Fit.key(how, name): _scale(how, [part.moments[name] for part in parts]) for how, name in _scales(output)}
    fit = Fit(
        output=output.name, instant=_instant(output), entities=sum(part.entities for part in parts), scales=scales
    )
    feature = output.feature
    if not isinstance(feature, f.Vector) or feature.project is None:
        return fit
    tables = [part.sample for part in parts if part.sample is not None]
    used = {name for _, each in output.inputs for name in each}
    keys = [name for name in tables[0].column_names if name not in used]
    rows = sample(pa.concat_tables(tables), keys)
    dims = {each.name: each.type.dim for each in outputs}
    inputs = {
        operand: [Input(name, rows[name].combine_chunks(), dims[name]) for name in names]
        for operand, names in output.inputs
    }
    matrix = concatenated(feature, inputs, len(rows), scales)
    return fit.model_copy(update={"components": principal(matrix, feature.project.pca)})


def _scales(output: Output) -> list[tuple[str, str]]:
    """How a number is scaled by the population, and which output that is; each once."""
    feature = output.feature
    stands_for = dict(output.inputs)
    if isinstance(feature, f.Vector):
        parts = [part for part in feature.vector if isinstance(part, Scalars) and part.scale in ("zscore", "minmax")]
        every = [(part.scale, each) for part in parts for name in part.scalars for each in stands_for[name]]
        return [*dict.fromkeys(every)]
    return [(feature.kind, each) for names in stands_for.values() for each in names]


def _scale(how: str, parts: Sequence[Moments]) -> Scale:
    whole = sum(parts, Moments())
    return whole.zscore() if how == "zscore" else whole.minmax()


def _fitted(output: Output, until: int) -> int | None:
    feature = output.feature
    instant = feature.fitted if isinstance(feature, Derived) else None
    return instant if instant is not None and instant <= until else None


def _instant(output: Output) -> int:
    assert isinstance(output.feature, Derived)
    assert output.feature.fitted is not None
    return output.feature.fitted

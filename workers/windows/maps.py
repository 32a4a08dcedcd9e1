"""Values by category: a map from each category of a window to its value, or a list in a stated order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.language import features as f
from limner.workers.windows import column as c
from limner.workers.windows import spans
from limner.workers.windows.rows import Bools, Ints, Rows

_CHUNK = 1 << 21  # (place, category) pairs put in order at a time: bounds memory to some tens of MB
Kind = Callable[[f.FeatureBase, Rows], c.Output]


@dataclass(frozen=True)
class _Spells:
    """Spells of one value: at the places first <= place < last the category of an entity is worth `value`."""

    category: Ints
    first: Ints
    last: Ints
    value: pa.Array
    changes: Bools  # [places] where a value differs from the entity's place before, or may do so

    def pairs(self, places: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Chunks of (positions in the ascending `places`, spells that cover them), by place, then category."""
        low, high = np.searchsorted(places, self.first), np.searchsorted(places, self.last)
        covering = np.cumsum(np.bincount(low, minlength=len(places) + 1) - np.bincount(high, minlength=len(places) + 1))
        total = np.cumsum(covering[: len(places)])
        begin = 0
        while begin < len(places):
            done = int(total[begin - 1]) if begin else 0
            stop = max(begin + 1, int(np.searchsorted(total, done + _CHUNK, side="right")))
            some = np.flatnonzero((low < stop) & (high > begin))
            head = np.maximum(low[some], begin)
            place, owner = spans.expand(head, np.minimum(high[some], stop) - head)
            spell = some[owner]
            order = np.lexsort((self.category[spell], place))
            yield place[order], spell[order]
            begin = stop


def by_category(kind: Kind, feature: f.Categorized, rows: Rows) -> c.Output:
    """What `kind` gives for the rows of each category; a row without a category does not count."""
    assert feature.by is not None
    rows, ranked = rows.coded(feature.by)
    if feature.categories is None:
        text = ranked.values.cast(pa.string())
        order = np.asarray(pc.sort_indices(text))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        return _map(_spells(kind, feature, rows, rank[ranked.code], zeros=True), text.take(pa.array(order)))
    slots = len(feature.categories) + bool(feature.other)
    slot = np.full(len(ranked.values), len(feature.categories) if feature.other else -1)
    for place, category in enumerate(feature.categories):
        slot[np.flatnonzero(np.asarray(pc.equal(ranked.values, category)))] = place
    kept = slot[ranked.code] >= 0
    return _list(_spells(kind, feature, rows.where(kept), slot[ranked.code][kept], zeros=False), slots)


def _spells(kind: Kind, feature: f.Categorized, rows: Rows, category: Ints, *, zeros: bool) -> _Spells:
    """A category of an entity is to `kind` an entity of its own, whose places are where its rows come and go.

    `zeros`: whether a category worth 0 differs from one without rows.
    """
    if feature.column is not None:
        kept = np.asarray(rows.table[feature.column].take(pa.array(rows.index)).is_valid())
        rows, category = rows.where(kept), category[kept]
    width = int(category.max(initial=0)) + 1
    stages = spans.stages(rows.entity * width + category, rows.first, rows.last, rows.places)
    alone = replace(rows, first=stages.first, last=stages.last, places=stages.size, entity=stages.group[stages.first])
    some = alone.count() > 0
    output = kind(feature, alone)
    if not zeros:
        worth = output.take(np.arange(stages.size)).fill_null(0)
        some &= np.asarray(pc.not_equal(worth, 0))
    fresh = spans.new_group(stages.group)
    differs = some & fresh
    new = (some[1:] != some[:-1]) | (some[1:] & (output.state[1:] != output.state[:-1]))
    differs[1:] |= ~fresh[1:] & new
    head = np.flatnonzero(differs)
    changes = np.zeros(rows.places + 1, bool)
    changes[stages.place[head]] = True
    spell = np.flatnonzero(some[head])  # the last stage of a group has no rows: each of these has one after it
    of_group = np.zeros(stages.size, np.int64)
    of_group[alone.entity] = category
    return _Spells(
        category=of_group[stages.group[head[spell]]],
        first=stages.place[head[spell]],
        last=stages.place[head[spell + 1]] if len(spell) else spell,
        value=output.take(head[spell]),
        changes=changes[:-1],
    )


def _map(spells: _Spells, names: pa.StringArray) -> c.Output:
    """Maps, sorted by the text of their categories; empty where there are no rows."""

    def take(chosen: Ints) -> pa.Array:
        length, found = np.zeros(len(chosen), np.int64), [np.empty(0, np.int64)]
        for place, spell in spells.pairs(chosen):
            length += np.bincount(place, minlength=len(chosen))
            found.append(spell)
        spell = np.concatenate(found)
        offsets = pa.array(np.concatenate([[0], np.cumsum(length)]).astype(np.int32))
        keys = names.take(pa.array(spells.category[spell]))
        return pa.MapArray.from_arrays(offsets, keys, spells.value.take(pa.array(spell)))

    return c.Output(np.cumsum(spells.changes), take)


def _list(spells: _Spells, slots: int) -> c.Output:
    """Lists of one number a category, 0 where it has no rows."""
    value = spells.value.to_numpy(zero_copy_only=False)

    def take(chosen: Ints) -> pa.Array:
        table = np.zeros((len(chosen), slots), value.dtype)
        for place, spell in spells.pairs(chosen):
            table[place, spells.category[spell]] = value[spell]
        offsets = pa.array(np.arange(len(chosen) + 1, dtype=np.int32) * slots)
        return pa.ListArray.from_arrays(offsets, pa.array(table.reshape(-1)))

    return c.Output(np.cumsum(spells.changes), take)

"""What every feature is worth at an instant, recomputed from raw rows in the plainest Python."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from limner.language.derivation import output_names_of, with_operands
from limner.language.derived_base import Derived
from limner.language.durations import Duration
from limner.language.feature_base import FeatureBase
from limner.language.features import Categorized, Embed, TextStatistic
from limner.language.models import Encoder, FeatureView, Source
from limner.language.windows import Period, Written
from tests.oracle import events as kinds
from tests.oracle.calendar import beginnings, period
from tests.oracle.cleaning import Cleaned, Event, Row, Table, clean, columns_of
from tests.oracle.conditions import holds
from tests.oracle.derived import derived
from tests.oracle.identity import attributed
from tests.oracle.instants import last_tick
from tests.oracle.maps import by_category
from tests.oracle.texts import collapsed, language_of, measured
from tests.oracle.values import KINDS, aggregate, total

Key = tuple[Any, ...]
VectorOf = Callable[[str, str], list[float]]


class Oracle:
    """One view over raw rows. `vector_of` stands for the encoders: by name, the vector of a text, prefix included."""

    def __init__(
        self,
        view: FeatureView,
        keys: Sequence[str],
        sources: Mapping[str, Source],
        tables: Mapping[str, Table],
        *,
        encoders: Mapping[str, Encoder] | None = None,
        vector_of: VectorOf | None = None,
    ) -> None:
        self.view = view
        self.zone = view.timezone or sources[view.reads[0]].timezone
        self.encoders = encoders or {}
        self.vector_of = vector_of
        self.cleaned = {name: _rows(tables, sources, name, keys, _used(view, name)) for name in view.reads}
        self._populations: dict[tuple[int, str], list[Any]] = {}
        self.entities: dict[Key, list[Event]] = {}
        for name, cleaned in self.cleaned.items():
            for event in cleaned.events:
                event.source = name
                self.entities.setdefault(tuple(event.row[key] for key in keys), []).append(event)

    @property
    def events(self) -> list[Event]:
        """The clean rows of all sources."""
        return [event for cleaned in self.cleaned.values() for event in cleaned.events]

    def at(self, instant: int, key: Key) -> dict[str, Any] | None:
        """The values known at `instant` (µs); None while nothing is known about the entity."""
        values = self._events(instant, key)
        if values is None:
            return None
        values |= derived(self.view, values, instant, self._population)
        return {
            output: values[output]
            for name, feature in self.view.features.items()
            for output in (output_names_of(self.view.features, name) if not feature.hidden else ())
        }

    def _population(self, instant: int, output: str) -> list[Any]:
        """What all entities had as of the last instant of the grid at or before `instant` (µs)."""
        if (instant, output) not in self._populations:
            features = self.view.features
            owner = next(name for name in features if output in output_names_of(features, name))
            view = self.view.model_copy(update={"features": with_operands(features, [owner])})
            tick = last_tick(self.view.grid, instant)
            found = []
            for key in self.entities:
                values = self._events(tick, key, view)
                if values is not None:
                    found.append((values | derived(view, values, tick, self._population))[output])
            self._populations[instant, output] = found
        return self._populations[instant, output]

    def _events(self, instant: int, key: Key, view: FeatureView | None = None) -> dict[str, Any] | None:
        """The values of the features that are made of rows."""
        known = [event for event in self.entities.get(key, []) if event.known <= instant]
        if not known:
            return None
        known = [event for event in known if instant < event.until]
        values: dict[str, Any] = {}
        for short, shorthand in (view or self.view).features.items():
            if isinstance(shorthand, Derived):
                continue
            rows = [event for event in known if event.source == self.view.source_of(shorthand)]
            for name, feature in shorthand.expand(short):
                for window in feature.written:
                    inside = _selected(feature, self._inside(rows, window, instant))
                    inside = inside if instant >= self._begins(feature) else []
                    if feature.kind == "trend" and feature.as_ == "ratio":  # type: ignore[attr-defined]
                        before = self._inside(rows, window, instant, before=True)
                        value = kinds.ratio(feature, inside, _selected(feature, before))
                    else:
                        value = self._value(feature, inside)
                    default = getattr(feature, "default", None)
                    if value is None and default is not None:
                        value = list(default) if isinstance(default, tuple) else default
                    values[_output(name, feature, window)] = value
        return values

    def _inside(self, known: list[Event], window: Written, instant: int, *, before: bool = False) -> list[Event]:
        """The known rows of a window that ends at `instant`, or of the window before that one."""
        if isinstance(window, str):
            return known
        if isinstance(window, Duration):
            last = instant - window.micros if before else instant
            first = last - window.micros
        else:
            first, last = period(window.text, instant, self.zone, before=before)
        return [event for event in known if event.at is not None and first <= event.at < last]

    def _begins(self, feature: FeatureBase) -> int:
        """The instant from which on rows count: that of the encoder's fit, if it learns."""
        encoder = self.encoders[feature.encoder] if isinstance(feature, Embed) else None
        return encoder.tfidf.fit if encoder is not None and encoder.tfidf is not None else -(2**62)

    def changes(self, key: Key) -> set[int]:
        """Every instant at which something may change: a row becomes known, or leaves a window."""
        events = self.entities.get(key, [])
        windows = {window for feature in self.view.features.values() for window in feature.written}
        found = {event.known for event in events} | {event.until for event in events}
        found |= {max(0, self._begins(feature)) for feature in self.view.features.values()}
        found |= {f.fitted for f in self.view.features.values() if isinstance(f, Derived) and f.fitted is not None}
        for event in events:
            for window in windows:
                if event.at is not None and isinstance(window, Duration):
                    found |= {event.at + window.micros + 1, event.at + 2 * window.micros + 1}
                elif event.at is not None and isinstance(window, Period):
                    later = [at for at in beginnings(window.unit, event.at, self.zone) if at > event.at]
                    found |= set(later[:3])
        return found

    def _value(self, feature: FeatureBase, events: list[Event]) -> Any:
        if isinstance(feature, Embed):
            return self._pooled(feature, events)
        if isinstance(feature, TextStatistic):
            return _statistic(feature, [event.row for event in events])
        if feature.kind in kinds.KINDS:
            return kinds.KINDS[feature.kind](feature, events, self.zone)
        if isinstance(feature, Categorized) and feature.by is not None:
            return by_category(feature, [event.row for event in events])
        column = feature.column
        if column is None:
            return len(events)
        return aggregate(feature, [event.row[column] for event in events if event.row[column] is not None])

    def _pooled(self, feature: Embed, events: list[Event]) -> list[float] | None:
        """The weighted mean of the vectors of texts that are not empty, by a column and by recency."""
        pooling, prefix = feature.pooling, prefix_of(feature, self.encoders)
        counted = []
        for event in events:
            text = render(feature.embed.parts, event.row)
            weight = 1 if pooling.weight is None else event.row[pooling.weight]
            if counts(text, feature.languages) and weight is not None and weight > 0:
                counted.append((event, prefix + text, weight))
        if pooling.newest is not None:
            counted = counted[-pooling.newest :]
        if not counted:
            return None
        newest = max(event.at for event, _, _ in counted)  # type: ignore[type-var]
        assert self.vector_of is not None
        vectors, weights = [], []
        for event, text, weight in counted:
            age = 0.0 if pooling.half_life is None else (newest - event.at) / pooling.half_life.micros  # type: ignore[operator]
            vectors.append(self.vector_of(feature.encoder, text))
            weights.append(weight * 2.0**-age)
        total = math.fsum(weights)
        return [
            math.fsum(w * vector[i] for w, vector in zip(weights, vectors, strict=True)) / total
            for i in range(len(vectors[0]))
        ]


def _selected(feature: FeatureBase, events: list[Event]) -> list[Event]:
    """The rows that meet the feature's condition; a share needs the others, too."""
    if feature.where is None or feature.kind == "share":
        return events
    return [event for event in events if holds(feature.where.text, event.row)]


def _rows(
    tables: Mapping[str, Table], sources: Mapping[str, Source], name: str, keys: Sequence[str], used: set[str]
) -> Cleaned:
    """The clean rows of a source, as rows of the entities they are about."""
    own = columns_of(tables[name], sources[name])
    cleaned = clean(tables, sources, name, [key for key in keys if key in own], used)
    persons = [key for key in keys if key not in own]
    if persons:
        cleaned.events = attributed(cleaned.events, sources[name], persons, tables, sources)
    return cleaned


def _used(view: FeatureView, source: str) -> set[str]:
    """The columns of a source that features look at."""
    used: set[str] = set()
    for feature in view.features.values():
        if view.source_of(feature) == source:
            used |= {*feature.columns(), *(read.column for read in feature.reads())}
    return used


def prefix_of(feature: Embed, encoders: Mapping[str, Encoder]) -> str:
    """The feature's own prefix, even an empty one, or else its encoder's."""
    return encoders[feature.encoder].prefix if feature.prefix is None else feature.prefix


def counts(text: str, languages: Sequence[str]) -> bool:
    """Whether a row of this (collapsed) text counts."""
    return text != "" and (not languages or language_of(text) in languages)


def _statistic(feature: TextStatistic, rows: list[Row]) -> Any:
    written = [render_raw(feature.text.parts, row) for row in rows]
    found = [measured(feature.measure, text) for text in written if counts(collapsed(text), feature.languages)]
    values = [value for value in found if value is not None]
    return total(values) if feature.pool == "sum" else KINDS[feature.pool](values, feature) if values else None


def _output(name: str, feature: FeatureBase, window: Written) -> str:
    if not isinstance(getattr(feature, "over", None), tuple):
        return name
    return f"{name}_{window if isinstance(window, str) else window.text}"


def render(parts: Sequence[tuple[str, str]], row: Row) -> str:
    """The template with values in place, nothing for null, white space collapsed."""
    return collapsed(render_raw(parts, row))


def render_raw(parts: Sequence[tuple[str, str]], row: Row) -> str:
    """The template with values in place, nothing for null."""
    texts = []
    for kind, part in parts:
        value = part if kind == "literal" else row[part]
        texts.append("" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
    return "".join(texts)

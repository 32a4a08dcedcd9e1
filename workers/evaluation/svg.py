"""Plots as SVG text: axes, lines, bars, points. A browser's own fonts show any script, and nothing else is needed."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

# Okabe & Ito's colours, apart for all kinds of sight; dashes and marks tell series apart in grey, too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#8a4f7d", "#7a6200", "#56769c", "#a34242", "#3f3f3f")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 2", "12 3", "5 5")
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 14.0, 12.0, 46.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, with ticks at values and what stands beside them; none given: round values."""

    low: float
    high: float
    label: str
    ticks: Sequence[tuple[float, str]] | None = None

    def marks(self) -> Sequence[tuple[float, str]]:
        """The ticks to draw."""
        return round_ticks(self.low, self.high) if self.ticks is None else self.ticks


@dataclass
class Plot:
    """One pair of axes, `width` x `height` pixels at its natural size; `title` is what a screen reader says."""

    title: str
    across: Axis
    up: Axis
    width: float = 430
    height: float = 320
    _parts: list[str] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Where a value lies across, in pixels."""
        return self._scale(value, self.across, _LEFT, self.width - _RIGHT)

    def y(self, value: float) -> float:
        """Where a value lies, in pixels from the top."""
        return self._scale(value, self.up, self.height - _BOTTOM, _TOP)

    def line(self, points: Iterable[Point], series: int = 0, width: float = 2.0) -> None:
        """Straight from point to point."""
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        dash = f' stroke-dasharray="{DASHES[series % len(DASHES)]}"' if DASHES[series % len(DASHES)] else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour(series)}" stroke-width="{width}"{dash}/>'
        )

    def rule(self, start: Point, end: Point, series: int | None = None, width: float = 1.0) -> None:
        """A segment: a guide in grey, or of a series."""
        stroke, dash = ("#767676", ' stroke-dasharray="4 4"') if series is None else (colour(series), "")
        self._parts.append(
            f'<line x1="{self.x(start[0]):.1f}" y1="{self.y(start[1]):.1f}" x2="{self.x(end[0]):.1f}" '
            f'y2="{self.y(end[1]):.1f}" stroke="{stroke}" stroke-width="{width}"{dash}/>'
        )

    def points(self, points: Iterable[Point], series: int = 0, size: float = 4.0, opacity: float = 1.0) -> None:
        """A mark at each point, its shape that of the series."""
        for x, y in points:
            self._parts.append(mark(self.x(x), self.y(y), series, size, opacity))

    def bar(self, left: float, right: float, top: float, series: int = 0, told: str = "") -> None:
        """A bar from the floor up to `top`; `told` shows when it is pointed at."""
        y, base = self.y(top), self.height - _BOTTOM
        label = f"<title>{escape(told)}</title>" if told else ""
        self._parts.append(
            f'<rect x="{self.x(left):.1f}" y="{min(y, base):.1f}" width="{max(0.5, self.x(right) - self.x(left)):.1f}" '
            f'height="{abs(base - y):.1f}" fill="{colour(series)}" fill-opacity="0.75">{label}</rect>'
        )

    def text(self, x: float, y: float, said: str, anchor: str = "middle", rise: float = -5.0) -> None:
        """A few words at a point, `rise` pixels below it."""
        self._parts.append(
            f'<text x="{self.x(x):.1f}" y="{self.y(y) + rise:.1f}" text-anchor="{anchor}">{escape(said)}</text>'
        )

    def svg(self) -> str:
        """The whole plot."""
        size = f'viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" height="{self.height:g}"'
        label = escape(self.title, quote=True)
        return f'<svg {size} role="img" aria-label="{label}">{self._axes()}{"".join(self._parts)}</svg>'

    def _axes(self) -> str:
        bottom, left, right = self.height - _BOTTOM, _LEFT, self.width - _RIGHT
        parts = []
        for value, said in self.up.marks():
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{left - 7}" y="{y + 4:.1f}" text-anchor="end">{escape(said)}</text>')
        for value, said in self.across.marks():
            x = self.x(value)
            parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(said)}</text>')
        middle = (left + right) / 2, (_TOP + bottom) / 2
        parts.append(
            f'<text x="{middle[0]:.1f}" y="{self.height - 8}" text-anchor="middle">{escape(self.across.label)}</text>'
        )
        turned = f'transform="translate(14 {middle[1]:.1f}) rotate(-90)"'
        parts.append(f'<text {turned} text-anchor="middle">{escape(self.up.label)}</text>')
        parts.append(f'<path class="frame" d="M{left} {_TOP}V{bottom}H{right}"/>')
        return "".join(parts)

    @staticmethod
    def _scale(value: float, axis: Axis, start: float, end: float) -> float:
        extent = axis.high - axis.low or 1.0
        return start + (min(max(value, axis.low), axis.high) - axis.low) / extent * (end - start)


def swatch(series: int, marked: bool = False) -> str:
    """A line or a mark as a legend shows it."""
    dash = f' stroke-dasharray="{DASHES[series % len(DASHES)]}"' if DASHES[series % len(DASHES)] else ""
    line = f'<line x1="1" y1="7" x2="29" y2="7" stroke="{colour(series)}" stroke-width="2.5"{dash}/>'
    return f'<svg width="30" height="14" aria-hidden="true">{mark(15, 7, series, 4) if marked else line}</svg>'


def mark(x: float, y: float, series: int, size: float, opacity: float = 1.0) -> str:
    """A circle, square, diamond or triangle, by the series."""
    fill = f'fill="{colour(series)}" fill-opacity="{opacity:g}"'
    if series % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {fill}/>'
    if series % 4 == 1:
        return f'<rect x="{x - size:.1f}" y="{y - size:.1f}" width="{2 * size:g}" height="{2 * size:g}" {fill}/>'
    if series % 4 == 2:
        tips = ((x, y - size * 1.3), (x + size * 1.3, y), (x, y + size * 1.3), (x - size * 1.3, y))
    else:
        tips = ((x, y - size * 1.2), (x + size * 1.2, y + size), (x - size * 1.2, y + size), (x, y - size * 1.2))
    return f'<polygon points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in tips)}" {fill}/>'


def colour(series: int) -> str:
    """The colour of a series; after eight they begin again."""
    return COLOURS[series % len(COLOURS)]


def round_ticks(low: float, high: float, about: int = 5) -> list[tuple[float, str]]:
    """Values 1, 2 or 5 times a power of ten apart, about so many of them, that lie within."""
    if not high > low:
        return [(low, f"{low:g}")]
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(place * step, f"{place * step:,.{digits}f}") for place in range(first, last + 1)]

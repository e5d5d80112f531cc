"""A chart as SVG, without scripts or style sheets, so that any page's policy and any renderer accepts it.

Each part has a class beside its colour: a page may give it the colours of its scheme. A part's value is its title,
which browsers show under the pointer. `data-left` and `data-step` say where columns are, for scripts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from servicekit.charts.chart import Band, Chart, Series, Shape
from servicekit.charts.ticks import ticks, with_room

# Told apart by people who see fewer colours, too (Okabe and Ito 2008), dark enough on white.
COLOURS: Final = ("#1f6f5c", "#d55e00", "#0072b2", "#b8860b", "#9b4f96", "#4d4d4d", "#56b4e9", "#7a9a01")
INK: Final = "#54625c"
LINE: Final = "#d5dcd7"
LEFT: Final = 76
RIGHT: Final = 8
TOP: Final = 10
BOTTOM: Final = 26
LABEL_WIDTH: Final = 62
FONT: Final = 12
# How wide a figure of a label is at most, in any font that is at hand.
FIGURE_WIDTH: Final = 7.5


@dataclass(frozen=True, slots=True)
class _Plane:
    """Maps values to coordinates: `top` is the value at the upper edge."""

    width: int
    height: int
    columns: int
    top: float
    left: float

    @property
    def step(self) -> float:
        return (self.width - self.left - RIGHT) / max(1, self.columns)

    def x(self, column: int) -> float:
        return self.left + self.step * (column + 0.5)

    def y(self, value: float) -> float:
        return self.height - BOTTOM - (self.height - TOP - BOTTOM) * value / self.top


def draw(chart: Chart, width: int = 720, height: int = 240, font: str = "sans-serif") -> str:
    """Return the chart as an SVG element of this size in pixels; it shrinks with what it stands in."""
    marks = ticks(chart.highest)
    left = max(LEFT, 8 + FIGURE_WIDTH * max(len(chart.shown(mark)) for mark in marks))
    plane = _Plane(width, height, len(chart.labels), marks[-1], left)
    parts = [*_grid(chart, plane, marks), *_band(chart.band, plane), *_drawn(chart, plane), *_labels(chart, plane)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" class="chart" '
        f'data-left="{_px(plane.left)}" data-step="{plane.step:.3f}" '
        f'font-family="{escape(font)}" font-size="{FONT}"><title>{escape(chart.title)}</title>{"".join(parts)}</svg>'
    )


def _grid(chart: Chart, plane: _Plane, marks: Sequence[float]) -> Iterator[str]:
    for mark in marks:
        y, left, beside = _px(plane.y(mark)), _px(plane.left), _px(plane.left - 8)
        yield f'<line class="grid" x1="{left}" x2="{plane.width - RIGHT}" y1="{y}" y2="{y}" stroke="{LINE}"/>'
        text = escape(chart.shown(mark))
        yield f'<text class="axis" x="{beside}" y="{y}" dy="4" text-anchor="end" fill="{INK}">{text}</text>'


def _labels(chart: Chart, plane: _Plane) -> Iterator[str]:
    widest = max(LABEL_WIDTH, FIGURE_WIDTH * max((len(label) for label in chart.labels), default=0))
    most = max(1, int((plane.width - plane.left - RIGHT) / widest))
    y = plane.height - BOTTOM + 18
    for place in with_room(chart.labels, most):
        text = escape(chart.labels[place])
        yield f'<text class="axis" x="{_px(plane.x(place))}" y="{y}" text-anchor="middle" fill="{INK}">{text}</text>'


def _drawn(chart: Chart, plane: _Plane) -> Iterator[str]:
    if chart.shape is Shape.LINES:
        for number, series in enumerate(chart.series):
            yield from _line(chart, series, number, plane)
        return
    for column in range(len(chart.labels)):
        yield from _stack(chart, column, plane)


def _stack(chart: Chart, column: int, plane: _Plane) -> Iterator[str]:
    below, width = 0.0, max(1.0, plane.step * 0.72)
    for number, series in enumerate(chart.series):
        value = series.values[column]
        if not value:
            continue
        top, bottom = plane.y(below + value), plane.y(below)
        below += value
        yield (
            f'<rect class="series-{number % len(COLOURS)}" x="{_px(plane.x(column) - width / 2)}" y="{_px(top)}" '
            f'width="{_px(width)}" height="{_px(max(0.5, bottom - top))}" fill="{COLOURS[number % len(COLOURS)]}">'
            f"{_told(chart, series, column, value)}</rect>"
        )


def _line(chart: Chart, series: Series, number: int, plane: _Plane) -> Iterator[str]:
    colour, name = COLOURS[number % len(COLOURS)], f"series-{number % len(COLOURS)}"
    for run in _runs(series.values):
        points = " ".join(f"{_px(plane.x(column))},{_px(plane.y(value))}" for column, value in run)
        yield f'<polyline class="{name} line" points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for column, value in enumerate(series.values):
        if value is not None:
            x, y = _px(plane.x(column)), _px(plane.y(value))
            told = _told(chart, series, column, value)
            yield f'<circle class="{name}" cx="{x}" cy="{y}" r="3" fill="{colour}">{told}</circle>'


def _band(band: Band | None, plane: _Plane) -> Iterator[str]:
    if band is None:
        return
    for run in _runs(band.high):
        upper = [f"{_px(plane.x(column))},{_px(plane.y(value))}" for column, value in run]
        lower = [f"{_px(plane.x(column))},{_px(plane.y(band.low[column] or 0.0))}" for column, _ in reversed(run)]
        yield f'<polygon class="band" points="{" ".join([*upper, *lower])}" fill="{COLOURS[0]}" fill-opacity="0.18"/>'


def _runs(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    """Yield the runs of values without a gap, each value with its column."""
    run: list[tuple[int, float]] = []
    for column, value in enumerate(values):
        if value is not None:
            run.append((column, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _told(chart: Chart, series: Series, column: int, value: float) -> str:
    words = [chart.labels[column], series.name, chart.shown(value)]
    return f"<title>{escape(' · '.join(word for word in words if word))}</title>"


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

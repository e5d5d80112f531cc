"""The data of a chart. `svg` decides how it looks; code that has the figures does not draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """BARS stack several series; LINES draw each series by itself."""

    BARS = "bars"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Series:
    """A named series with one value for each label of the chart; None is a missing value, not zero."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Band:
    """The likely range for each label; a forecast has one."""

    low: Sequence[float | None]
    high: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Attributes:
        title: said to whoever cannot see it.
        labels: of the horizontal axis, in their order.
        series: no more than eight are told apart.
        shown: how a value is written for people ("1 234,50 ₽").
        band: drawn below the series.
    """

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    shown: Callable[[float], str]
    shape: Shape = Shape.BARS
    band: Band | None = None

    def __post_init__(self) -> None:
        """Check that every series has a value for every label.

        Raises:
            ValueError: one has not.
        """
        lengths = {len(series.values) for series in self.series}
        if self.band is not None:
            lengths |= {len(self.band.low), len(self.band.high)}
        if lengths - {len(self.labels)}:
            raise ValueError("every series takes one value for each label")

    @property
    def highest(self) -> float:
        """Return the highest value that is drawn; 0 where there is none."""
        columns = zip(*[series.values for series in self.series], strict=True)
        known = [[value for value in column if value is not None] for column in columns]
        tops = [sum(column) if self.shape is Shape.BARS else max(column, default=0.0) for column in known]
        band = [value for value in self.band.high if value is not None] if self.band else []
        return max([*tops, *band, 0.0])

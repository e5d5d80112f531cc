"""The order of a report, and its validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from servicekit.errors import InvalidRequest, invalid_parameter
from services.usage.statistics.domain.query import NO_FILTERS, Dimension, Query

SEPARATORS: Final = (",", ";", "\t")
# No row is older: UUIDv7 ids begin in 1970, usage of release 1.0 in 2015.
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Format(StrEnum):
    """The file format."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    XLSX = "xlsx"
    PDF = "pdf"
    PARQUET = "parquet"


class Kind(StrEnum):
    """The content of a report."""

    SUMMARY = "summary"
    """Totals, the period before, and sums by model, provider, key and day."""
    REQUESTS = "requests"
    """A row a request, and their totals."""


class Language(StrEnum):
    """The language of titles and texts; column names in CSV, JSON and Parquet are the same in all."""

    RU = "ru"
    EN = "en"


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """The dialect of a CSV; a Russian Excel reads `;`, a decimal comma, and UTF-8 with a byte order mark.

    Attributes:
        separator: of cells.
        decimal_comma: amounts are 1,5 instead of 1.5.
        byte_order_mark: the file begins with U+FEFF.
        titles: the first line has titles in the report's language instead of names of columns.
    """

    separator: str = ","
    decimal_comma: bool = False
    byte_order_mark: bool = False
    titles: bool = False


PLAIN_CSV: Final = CsvDialect()
NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of a report, apart from its period.

    Attributes:
        format: of the file.
        kind: what is in it.
        zone: IANA name of the time zone in which days begin and times are told.
        language: of titles.
        filters: which requests count.
        csv: how a CSV is written.
        key_names: id of a key -> its name, as far as whoever orders knows them.
    """

    format: Format
    kind: Kind = Kind.SUMMARY
    zone: str = "UTC"
    language: Language = Language.RU
    filters: Mapping[Dimension, tuple[str, ...]] = field(default_factory=lambda: NO_FILTERS)
    csv: CsvDialect = PLAIN_CSV
    key_names: Mapping[str, str] = field(default_factory=lambda: NO_NAMES)


@dataclass(frozen=True, slots=True)
class Order:
    """A report of one user and one period, from `since` until before `until`."""

    user_id: str
    since: datetime
    until: datetime
    wishes: Wishes

    @property
    def query(self) -> Query:
        """Return the question that its rows answer."""
        return Query(self.user_id, self.since, self.until, self.wishes.zone, filters=self.wishes.filters)


def check_order(order: Order) -> None:
    """Do nothing when the order can be carried out.

    Raises:
        InvalidRequest: it cannot; the field is named.
    """
    check_wishes(order.wishes)
    if not order.user_id or "\0" in order.user_id:
        raise _invalid("user_id", "is missing or malformed")
    if order.since < EARLIEST:
        raise _invalid("from", "is before 1970")
    if order.since >= order.until:
        raise _invalid("to", "must be after `from`")


def check_wishes(wishes: Wishes) -> None:
    """Do nothing when a report like this can be made.

    Raises:
        InvalidRequest: it cannot; the field is named.
    """
    if wishes.format is Format.PDF and wishes.kind is Kind.REQUESTS:
        raise _invalid("format", "cannot be pdf for the report `requests`: use csv, xlsx, jsonl, json or parquet")
    if wishes.csv.separator not in SEPARATORS:
        raise _invalid("csv.separator", "must be a comma, a semicolon or a tab")
    if wishes.csv.decimal_comma and wishes.csv.separator == ",":
        raise _invalid("csv.decimal", "cannot be a comma where the separator is one: set csv.separator to `;`")
    if wishes.zone not in available_timezones():
        raise _invalid("tz", "must be an IANA time zone such as Europe/Moscow")
    if any("\0" in value for values in wishes.filters.values() for value in values):
        raise _invalid("filters", "has a NUL, which no value has")
    if Dimension.USER in wishes.filters:
        raise _invalid("user", "cannot narrow a report of one user")


def zone_of(wishes: Wishes) -> ZoneInfo:
    """Return the time zone of a report."""
    return ZoneInfo(wishes.zone)


def _invalid(param: str, problem: str) -> InvalidRequest:
    return invalid_parameter(param, f"`{param}` {problem}.")

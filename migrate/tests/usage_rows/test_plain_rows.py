"""The quick way is a part of the slow one: what it reads, the slow rules keep, and to the byte."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.fates.fate import Moved
from migrate.fates.requests import COLUMNS, Names, request_fate
from migrate.rules.plain_columns import plain_ids
from migrate.rules.times import Reading
from migrate.rules.verdict import Text
from migrate.source.tables import TABLES, Table
from migrate.usage_rows.plain_pieces import PlainPieces
from migrate.usage_rows.plain_rows import PlainRows, row_of

NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
NAMES: Final = Names({"gigachat": "gigachat", "old": "gigachat"}, {"gigachat": "gigachat-2:latest", "m": "m"})
ORDER: Final = (*TABLES["usage"][0], *TABLES["usage"][1])
TABLE: Final = Table("usage", ORDER, (), ("tier",), ("rowid",))
ABSENT: Final = {"gone"}
HONEST: Final[dict[str, Any]] = {
    "id": "8f14e45f-ceea-467f-9b3d-0a1b2c3d4e5f", "user_id": "user-1", "model": "GigaChat", "tokens_input": 10,
    "tokens_output": 0, "cost": 0.0015, "created_at": "2025-03-04 12:00:00", "provider": "gigachat",
}  # fmt: skip

moments = st.datetimes(datetime(2014, 12, 30), datetime(2026, 12, 2))
digits = st.sampled_from(["0", "9", "a", "A", "-", " ", "٣", "\0", ""])
zones = st.sampled_from(["Z", "+00:00", "+03:00", ".5Z", ".1234567"])
times = st.one_of(
    moments.map(str),
    moments.map(datetime.isoformat),
    st.builds(lambda at, zone: f"{at:%Y-%m-%d %H:%M:%S}{zone}", moments, zones),
    st.sampled_from(["2025-06-31 10:00:00", "2025-06-30 24:00:00", "2025-06-30 23:59:60", "2025-06-30 10:00 ", "now"]),
)
costs = st.one_of(
    st.integers(0, 10**10).map(lambda micro: micro / 1e6),
    st.floats(),
    st.floats(0, 10_000),
    st.sampled_from([0.1 + 0.2, -0.0, 9_999.999999, 10_000.0, 9_999.9999999, 1e-7, 5e-324, 4, 10_000, -1]),
)
ids = st.one_of(st.uuids().map(str), st.uuids().map(lambda id_: str(id_).upper()), st.sampled_from(["gen-1", "", "\0"]))
anything = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=4), st.booleans().map(int),
    st.text(st.characters(codec="utf-8"), max_size=3), st.binary(max_size=4).map(Text),
)  # fmt: skip


def mutated(text: str, place: int, part: str) -> str:
    """Return a text with one place changed."""
    return text[:place] + part + text[place + 1 :]


def cells_of(name: str) -> st.SearchStrategy[Any]:
    """Return cells of a column: honest, nearly honest, and any."""
    kinds = {"id": ids, "created_at": times, "cost": costs}
    near = kinds.get(name, st.sampled_from([HONEST[name], "gone", "m", "old", "GigaChat ", 0, 1.0, 2**31, True + 0]))
    bent = st.builds(mutated, near.filter(lambda cell: isinstance(cell, str)), st.integers(0, 36), digits)
    return st.one_of(st.just(HONEST[name]), near, near if name in ("cost",) else bent, anything)


rows = st.tuples(*map(cells_of, ORDER), st.one_of(st.none(), st.just("pro")))


def reader(zone: str | None = "Europe/Moscow") -> tuple[PlainRows, Reading]:
    """Return the quick way and how the slow one reads."""
    reading = Reading(None if zone is None else ZoneInfo(zone), NOW)
    return PlainRows(TABLE, reading, NAMES, ABSENT), reading


def stored(cell: Any) -> Any:
    """Return a cell as the slow way has it."""
    return Text(cell.encode()) if isinstance(cell, str) else cell


@settings(max_examples=300, deadline=None)
@given(rows, st.sampled_from([None, "Europe/Moscow"]))
def test_what_is_read_quickly_is_what_the_slow_rules_keep(row: tuple[Any, ...], zone: str | None) -> None:
    plain, reading = reader(zone)
    for cells in (row, (*HONEST.values(), None), row):  # a second time from memory
        found = plain.read((1, *cells))
        fate = request_fate(dict(zip((*ORDER, "tier"), map(stored, cells), strict=True)), reading, NAMES)
        if found is not None:
            assert isinstance(fate, Moved)
            assert (fate.repairs, fate.record.user_id in ABSENT) == ((), False)
            assert found == row_of(fate.record, {})


@pytest.mark.parametrize(
    "changed",
    [
        {}, {"id": "0f14e45f-ceea-167f-8b3d-0a1b2c3d4e5f"},
        {"cost": 0.0}, {"cost": 9_999.999999}, {"cost": 5}, {"tokens_output": 2**31 - 1},
        {"created_at": "2015-01-01 00:00:00"}, {"created_at": "2025-03-04 23:59:59.999999"},
        {"created_at": "2025-03-04T12:00:00.5+00:00"}, {"created_at": "2025-03-04T12:00:00Z"}, {"model": "unknown"},
    ],
    ids=str,
)  # fmt: skip
def test_honest_rows_go_the_quick_way(changed: dict[str, Any]) -> None:
    plain, _ = reader()
    row = HONEST | changed

    assert plain.read((1, *(row[name] for name in ORDER), None)) is not None
    assert set(COLUMNS) == set(ORDER)


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, max_size=2), st.lists(st.integers(0, 5), min_size=1, max_size=6), st.sampled_from([None, "UTC"]))
def test_pieces_are_read_as_their_rows_are(odd: list[tuple[Any, ...]], order: list[int], zone: str | None) -> None:
    """Or not at all: one that is not plain leaves the others to be read by themselves."""
    plain, _ = reader(zone)
    known = [*odd, (*HONEST.values(), None)]
    piece = [(number, *known[place % len(known)]) for number, place in enumerate(order)]

    found = PlainPieces(plain).read(piece)

    one_by_one = [plain.read(cells) for cells in piece]
    if found is not None:
        assert list(zip(*found, strict=True)) == one_by_one
    elif all(cells[1:] == (*HONEST.values(), None) for cells in piece):
        pytest.fail("an honest piece was not read")


@pytest.mark.parametrize(
    "ids",
    [
        # A break or a dash that is another's, a blank, a digit that is none, parts that are as long together.
        ["8f14e45f-ceea-467f-9b3d-0a1b2c3d4e5", "ff14e45f-ceea-467f-9b3d-0a1b2c3d4e5f0"],
        ["8f14e45f-ceea-467f-9b3d-0a1b2c3d4e5f\n8f14e45f-ceea-467f-9b3d-0a1b2c3d4e5f"],
        ["8f14e45f-ceea-467f-9b3d-0a1b2c3d4e5-"], ["8f14e45f-ceea-467f-9b3d-0a1b2c3d4e5 "],
        ["8f14e45f-ceea-467f-9b3d-0a1b2c3d4e5\n"], ["8f14e45f-ceea-467f-9b3d-0a1b2c3d4e5٣"],
        ["8F14e45f-ceea-467f-9b3d-0a1b2c3d4e5f"], ["8f14e45f-ceea-767f-9b3d-0a1b2c3d4e5f"],
        ["8f14e45fceea467f9b3d0a1b2c3d4e5f0000"], [None], [1],
    ],
    ids=repr,
)  # fmt: skip
def test_ids_that_are_not_spelt_as_usual_are_not_read_together(ids: list[Any]) -> None:
    assert plain_ids(ids) is None
    assert plain_ids([HONEST["id"], *ids]) is None


@pytest.mark.parametrize("fraction", [".1234567", ".000000001", ".999999999"])
def test_more_digits_than_postgresql_keeps_go_the_slow_way_which_tells_that_it_cuts_them(fraction: str) -> None:
    plain, reading = reader()
    written = f"2025-03-04 12:00:00{fraction}Z"
    row = HONEST | {"created_at": written}
    fate = request_fate({name: stored(cell) for name, cell in row.items()}, reading, NAMES)

    assert plain.read((1, *(row[name] for name in ORDER), None)) is None
    assert isinstance(fate, Moved)
    assert [(repair.field, repair.rule) for repair in fate.repairs] == [("created_at", "cut_to_microseconds")]


def test_zeros_behind_the_microseconds_cut_nothing() -> None:
    plain, _ = reader()
    exact, longer = (
        plain.read((1, *((HONEST | {"created_at": f"2025-03-04 12:00:00.5{zeros}Z"})[name] for name in ORDER), None))
        for zeros in ("", "00000000")
    )

    assert exact is not None
    assert exact == longer

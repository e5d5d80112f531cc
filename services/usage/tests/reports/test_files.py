"""The files themselves: every format holds the same figures, the same bytes for the same rows."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from decimal import Decimal

import duckdb
import pypdf
import pytest

from servicekit.errors import InvalidRequest
from servicekit.testing.fake_clock import MIDDAY, FakeClock
from services.usage.reports.domain.order import CsvDialect, Format, Kind, Language
from services.usage.reports.domain.written import roubles
from services.usage.reports.generation import Generation
from services.usage.reports.store.snapshot import Snapshots
from services.usage.statistics.domain.query import Dimension
from services.usage.tests.reports.files import book_of, csv_rows, micro, text_of
from services.usage.tests.reports.histories import NAMES, file_of, history, order, store_history, total_of

MADE = [
    *[(each, Kind.SUMMARY) for each in Format],
    *[(each, Kind.REQUESTS) for each in Format if each is not Format.PDF],
]


@pytest.fixture
async def records(store):
    """What user-1 did, beside another user whose requests must be nowhere."""
    mine = history()
    await store_history(store, [*mine, *history(40, "user-2")[1:]])
    return mine


async def test_a_summary_in_every_format_holds_the_same_sums(generation, records):
    """To the micro-rouble: CSV, JSON, JSONL, XLSX, Parquet and PDF beside a plain sum."""
    wanted = total_of(records)

    files = {each: await file_of(generation, order(each)) for each in Format}

    whole = json.loads(files[Format.JSON])
    assert whole["totals"]["cost_micro_rub"] == micro(whole["totals"]["cost_rub"]) == wanted
    for lines in whole["sections"].values():
        assert sum(line["cost_micro_rub"] for line in lines) == wanted
    table = csv_rows(files[Format.CSV])
    for section in ("model", "provider", "key", "day", "total"):
        assert sum(micro(row["cost_rub"]) for row in table if row["section"] == section) == wanted, section
    assert json.loads(files[Format.JSONL].splitlines()[-1])["cost_micro_rub"] == wanted
    for sheet in book_of(files[Format.XLSX]).worksheets[1:]:
        *lines, last = [row[7] for row in sheet.iter_rows(min_row=2, values_only=True)]
        assert sum(round(cost * 1_000_000) for cost in lines) == round(last * 1_000_000) == wanted, sheet.title
    assert roubles(wanted, Language.RU) in text_of(files[Format.PDF])


async def test_requests_in_every_format_are_in_order_and_add_up(generation, records, tmp_path):
    """A row each, in order, with the totals last."""
    wanted, ids = total_of(records), [each.request_id for each in records]

    files = {each: await file_of(generation, order(each, kind)) for each, kind in MADE if kind is Kind.REQUESTS}

    *table, last = csv_rows(files[Format.CSV])
    assert [row["id"] for row in table] == ids
    assert sum(micro(row["cost_rub"]) for row in table) == micro(last["cost_rub"]) == wanted
    head, *lines, end = map(json.loads, files[Format.JSONL].splitlines())
    assert (head["object"], head["tz"], end["object"]) == ("report", "Europe/Moscow", "totals")
    assert sum(line["cost_micro_rub"] for line in lines) == end["cost_micro_rub"] == wanted
    assert [row["time"] for row in table] == [line["time"] for line in lines]
    assert [{"object": "row", **row} for row in json.loads(files[Format.JSON])["data"]] == lines
    *rows, last_row = book_of(files[Format.XLSX]).worksheets[1].iter_rows(min_row=2, values_only=True)
    assert sum(round(row[17] * 1_000_000) for row in rows) == round(last_row[17] * 1_000_000) == wanted
    (tmp_path / "report.parquet").write_bytes(files[Format.PARQUET])
    with duckdb.connect() as connection:
        query = f"SELECT count(*), sum(cost_rub), epoch_us(min(time)) FROM '{tmp_path}/report.parquet'"
        stored = connection.execute(query).fetchone()
    assert stored == (300, Decimal(wanted) / 1_000_000, records[0].created_at.timestamp() * 1_000_000)


async def test_equal_rows_make_equal_bytes(generation, records):
    """A checksum says whether anything changed."""
    for format, kind in MADE:
        asked = order(format, kind)
        assert await file_of(generation, asked) == await file_of(generation, asked), (format, kind)


async def test_names_that_a_spreadsheet_would_run_are_text(generation, records):
    """In CSV behind an apostrophe, in Excel as texts; numbers stay numbers, JSON stays as it is."""
    asked = order(Format.CSV, Kind.REQUESTS)

    table = csv_rows(await file_of(generation, asked))[:-1]
    sheet = book_of(await file_of(generation, order(Format.XLSX, Kind.REQUESTS))).worksheets[1]
    lines = (await file_of(generation, order(Format.JSONL, Kind.REQUESTS))).splitlines()[1:-1]

    guarded = {name: "'" + name for name in NAMES[:4]} | {"\t=1": "'\t'=1"}
    assert [row["key_name"] for row in table[:7]] == [guarded.get(name, name) for name in NAMES]
    cells = [row[8] for row in sheet.iter_rows(min_row=2, max_row=8)]
    assert [(cell.value, cell.data_type) for cell in cells] == [(name, "s") for name in NAMES]
    assert [json.loads(line)["key_name"] for line in lines[:7]] == list(NAMES)


async def test_a_russian_excel_gets_its_own_csv(generation, records):
    """A mark, semicolons, decimal commas, Russian titles."""
    dialect = CsvDialect(separator=";", decimal_comma=True, byte_order_mark=True, titles=True)

    content = await file_of(generation, order(Format.CSV, Kind.REQUESTS, csv=dialect))

    assert content.startswith(b"\xef\xbb\xbf")
    *rows, last = csv_rows(content, ";")
    assert (rows[0]["Модель"], rows[0]["Стоимость, ₽"]) == ("yandexgpt:latest", "0,000001")
    assert last["Номер запроса"] == "Итого"


async def test_the_pdf_is_tagged_and_its_text_can_be_read(generation, records):
    """Screen readers and searches find what is on the page, in both languages."""
    for language, title in ((Language.RU, "Отчёт об использовании"), (Language.EN, "Usage report")):
        content = await file_of(generation, order(Format.PDF, language=language))

        reader = pypdf.PdfReader(io.BytesIO(content))
        assert reader.root_object["/MarkInfo"]["/Marked"]  # type: ignore[index]
        assert reader.metadata is not None
        assert reader.metadata.title == title
        text = text_of(content)
        for expected in (title, "gigachat-max", "Europe/Moscow", "=cmd|'/C calc'!A0 (key-0)"):
            assert expected in text, expected


async def test_a_name_cannot_be_a_command_of_the_pdf(generation, records):
    """Text of users is data to what sets the page."""
    names = {"key-0": '#panic("run") $x$ \\ [*b*] `code`'}

    content = await file_of(generation, order(Format.PDF, key_names=names))

    # Its cell is narrow: the lines are joined again.
    assert '#panic("run")$x$\\[*b*]`code`(key-0)' in "".join(text_of(content).split())


async def test_filters_narrow_totals_and_rows_alike(generation, records):
    """Several values of one dimension are alternatives, dimensions narrow each other."""
    filters = {Dimension.MODEL: ("yandexgpt", "yandexgpt-lite"), Dimension.STATUS: ("failed",)}
    wanted = [each for each in records if each.provider == "yandexgpt" and each.status == "failed"]

    content = await file_of(generation, order(Format.JSON, Kind.REQUESTS, filters=filters))

    whole = json.loads(content)
    assert [row["id"] for row in whole["data"]] == [each.request_id for each in wanted]
    assert whole["totals"]["cost_micro_rub"] == total_of(wanted)


async def test_a_report_with_too_many_rows_names_the_bound(generation, store):
    """And is not begun."""
    await store_history(store, history(1_001))

    with pytest.raises(InvalidRequest, match="1001 rows; 1000 are allowed"):
        await file_of(generation, order(Format.CSV, Kind.REQUESTS))


async def test_a_period_without_requests_is_a_report_of_zeros(generation):
    """Not an error."""
    files = {each: await file_of(generation, order(each)) for each in Format}

    assert json.loads(files[Format.JSON])["totals"]["requests"] == 0
    assert "За этот период запросов не было" in text_of(files[Format.PDF])


async def test_a_snapshot_is_taken_at_any_microsecond(pool, store, tmp_path):
    """As real clocks tell it: Typst takes whole seconds only, and every PDF failed."""
    await store_history(store, history(10))
    odd = FakeClock(MIDDAY + timedelta(microseconds=123_456))
    generation = Generation(Snapshots(pool), odd, scratch=str(tmp_path), rows_max=1_000)

    files = {(each, kind): await file_of(generation, order(each, kind)) for each, kind in MADE}

    assert all(files.values())

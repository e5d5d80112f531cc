"""What a batch becomes before it is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.batch import fold, judge
from services.usage.domain.months import months_from
from services.usage.domain.record import Source
from services.usage.tests.records import record

EXACT = record(1)
GUESS = replace(EXACT, source=Source.REAPED, tokens_output=7)
OTHER = replace(EXACT, tokens_output=8)


def test_sorts_by_id_so_that_writers_never_wait_in_a_circle() -> None:
    """Whatever order the journal had."""
    batch = fold([record(number) for number in (9, 3, 7, 1)], now=MIDDAY)

    ids = [one.request_id for one in batch.records]
    assert ids == sorted(ids)


def test_keeps_the_first_of_a_repeated_id() -> None:
    """The same content is a duplicate, other content is a conflict too."""
    batch = fold([EXACT, EXACT, OTHER], now=MIDDAY)

    assert batch.records == (EXACT,)
    assert batch.duplicates == 2
    assert batch.conflicting == (EXACT.request_id,)


def test_a_guess_in_the_same_batch_gives_way() -> None:
    """In either order, and that is no conflict."""
    for records in ([GUESS, EXACT], [EXACT, GUESS]):
        batch = fold(records, now=MIDDAY)

        assert batch.records == (EXACT,)
        assert (batch.duplicates, batch.conflicting) == (1, ())


def test_an_unfit_record_leaves_the_others() -> None:
    """It is named and left out."""
    batch = fold([replace(EXACT, user_id=""), record(2)], now=MIDDAY)

    assert batch.records == (record(2),)
    assert [problem.field for problem in batch.rejected] == ["user_id"]


def test_judges_what_is_stored() -> None:
    """A stored guess gives way to knowledge, never the other way round; contradictions are named."""
    stored = {EXACT.request_id: EXACT}
    guessed = {EXACT.request_id: GUESS}

    assert judge([EXACT], stored).conflicting == ()
    assert judge([OTHER], stored).conflicting == (EXACT.request_id,)
    assert judge([GUESS], stored) == judge([GUESS], guessed) == judge([EXACT], {})
    assert judge([EXACT], guessed).replacements == (EXACT,)


def test_judges_each_of_several_records() -> None:
    """One that is not stored hides none that follows; order stays."""
    records = [record(9), OTHER, record(2), record(3)]
    stored = {
        EXACT.request_id: EXACT,
        record(2).request_id: replace(record(2), source=Source.REAPED),
        record(3).request_id: replace(record(3), source=Source.REAPED),
    }

    verdict = judge(records, stored)

    assert verdict.replacements == (record(2), record(3))
    assert verdict.conflicting == (EXACT.request_id,)


def test_names_the_months_its_ids_belong_to() -> None:
    """By the ids, not by today."""
    moments = [
        datetime(2026, 1, 31, 23, tzinfo=UTC),
        datetime(2026, 2, 1, tzinfo=UTC),
        datetime(2026, 2, 9, tzinfo=UTC),
    ]

    assert fold([record(1, at) for at in moments], now=MIDDAY).months() == {date(2026, 1, 1), date(2026, 2, 1)}


def test_months_run_over_the_end_of_the_year() -> None:
    """November and two ahead end in January."""
    assert list(months_from(date(2026, 11, 23), 2)) == [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)]

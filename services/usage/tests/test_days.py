"""Days as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from babel.dates import format_datetime

from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.days import day_in, moment_in, month_in, short_day_in
from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.kinds import EventKind
from services.usage.notifications.domain.person import Person
from services.usage.notifications.domain.wording import worded

MOMENTS = [datetime(2026, month, month, 9, 5, tzinfo=UTC) for month in range(1, 13)]


@pytest.mark.parametrize(
    ("language", "locale", "patterns"),
    [
        ("ru", "ru", ("dd.MM.yyyy", "dd.MM.yyyy HH:mm", "dd.MM", "MM.yyyy")),
        ("en", "en_GB", ("d MMM y", "d MMM y, HH:mm", "d MMM", "MMM y")),
    ],
)
def test_days_and_months_are_written_as_on_pages(language: str, locale: str, patterns: tuple[str, ...]) -> None:
    """Mails, reports and findings are read beside them, which have these patterns; English had 2026-11-30."""
    told = [
        [day_in(language, each), moment_in(language, each), short_day_in(language, each), month_in(language, each)]
        for each in MOMENTS
    ]

    assert told == [[format_datetime(each, pattern, locale=locale) for pattern in patterns] for each in MOMENTS]


def test_a_day_needs_no_clock() -> None:
    """A date alone is enough."""
    assert day_in("en", date(2026, 9, 5)) == "5 Sept 2026"


def test_a_mail_writes_days_as_people_of_its_language_do() -> None:
    """In English as on pages: nobody says 2026-11-30."""
    event = Event(UUID(int=1), "u", EventKind.KEY_EXPIRING, {"expires_at": "2026-11-30T09:00:00+00:00"}, MIDDAY)

    said = [worded(event, Person("u", "", language, "Europe/Moscow")).text for language in ("ru", "en")]

    assert "30.11.2026 12:00 (Europe/Moscow)" in said[0]
    assert "30 Nov 2026, 12:00 (Europe/Moscow)" in said[1]

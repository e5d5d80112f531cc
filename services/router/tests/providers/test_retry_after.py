"""What a provider says of when to come again."""

from __future__ import annotations

import pytest

from servicekit.clock import SystemClock
from services.router.providers.failures import retry_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_in_all_its_forms(header: str | None, seconds: float | None) -> None:
    """Seconds, a date, a negative, nonsense."""
    assert retry_after(header, SystemClock()) == seconds

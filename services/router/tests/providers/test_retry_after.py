"""What a provider says of when to come again."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from servicekit.clock import SystemClock
from services.router.providers.failures import retry_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_in_all_its_forms(header: str, seconds: float | None) -> None:
    """Seconds, a date, a negative, nonsense."""
    assert retry_after({"Retry-After": header}, SystemClock()) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after-ms": "-1"}, 0.0),
    ],
)
def test_milliseconds_count_where_they_are_said(headers: dict[str, str], seconds: float | None) -> None:
    """OpenAI's and Azure's refusals have them; a model that said nothing else was asked on and on."""
    assert retry_after(CIMultiDict(headers), SystemClock()) == seconds

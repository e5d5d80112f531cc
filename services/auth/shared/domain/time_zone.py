"""Time zones by their IANA names."""

from __future__ import annotations

import zoneinfo
from functools import cache

from servicekit.errors import ErrorReason, InvalidRequest


def check_time_zone(given: str) -> str:
    """Return the IANA name.

    Raises:
        InvalidRequest: there is no such time zone.
    """
    if given not in _time_zones():
        text = "This is not the IANA name of a time zone, such as Europe/Moscow."
        raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, text, param="time_zone")
    return given


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())

"""Time zones by their IANA names."""

from __future__ import annotations

import zoneinfo
from functools import cache

from servicekit.errors import invalid_parameter


def check_time_zone(given: str) -> str:
    """Return the IANA name.

    Raises:
        InvalidRequest: there is no such time zone.
    """
    if given not in _time_zones():
        text = "This is not the IANA name of a time zone, such as Europe/Moscow."
        raise invalid_parameter("time_zone", text)
    return given


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())

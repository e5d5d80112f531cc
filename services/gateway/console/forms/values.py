"""Amounts and days as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.gateway.console.forms.faults import FormRefused
from services.gateway.edge.money import MICRO
from services.gateway.pages.numbers import BLANKS, in_zone, typed_micro_rub

# Seconds for which an old secret of a key or an application may go on working, as forms offer them.
OVERLAPS: Final = (0, 3600, 86_400, 7 * 86_400, 30 * 86_400)
_COUNT: Final = re.compile(r"[0-9]{1,15}")


def micro_rub_in(text: str, field: str) -> int:
    """Return an amount such as "1 500" or "99,90" in micro-roubles; "" is 0.

    Raises:
        FormRefused: it is none.
    """
    micro_rub = typed_micro_rub(text)
    if micro_rub is None:
        raise FormRefused(field, "forms.bad_amount")
    return micro_rub


def count_in(text: str, field: str) -> int:
    """Return a whole number; "" is 0.

    Raises:
        FormRefused: it is none.
    """
    bare = text.translate(BLANKS)
    if bare and _COUNT.fullmatch(bare) is None:
        raise FormRefused(field, "forms.bad_number")
    return int(bare or 0)


def end_of_day(text: str, field: str, time_zone: str) -> str | None:
    """Return the moment at which a day of a zone ends, as the API has it; None for no day.

    Raises:
        FormRefused: it is no day.
    """
    if not text:
        return None
    try:
        following = date.fromisoformat(text) + timedelta(days=1)
        return datetime.combine(following, time(), ZoneInfo(time_zone or "UTC")).isoformat()
    except (ValueError, OverflowError) as exc:
        raise FormRefused(field, "forms.bad_day") from exc


def last_day(moment: str | None, time_zone: str) -> str:
    """Return the last day of which a moment of the API is not before the end; "" for none."""
    if moment is None:
        return ""
    ends = in_zone(datetime.fromisoformat(moment), ZoneInfo(time_zone or "UTC"))
    return (ends - timedelta(microseconds=1)).date().isoformat()


def offered_with(choices: Iterable[str], had: Iterable[str]) -> list[str]:
    """Return what a form offers and what the thing has besides: what a form does not show, it would take away."""
    return list(dict.fromkeys((*choices, *had)))


def roubles_in_field(micro_rub: int) -> str:
    """Return an amount as a field of a form shows it, exactly: "1500" or "99,9"."""
    whole, rest = divmod(micro_rub, MICRO)
    return f"{whole},{rest:06d}".rstrip("0").rstrip(",") if rest else str(whole)

"""What a row may hold, and how one that may not is made fit: the gateway never settles what usage would refuse.

The bounds are those of razvilka.usage.v1.UsageRecord, where they stand for both sides; a test compares them. A value
beyond its bound becomes the nearest one within, and the row says so (`Flag`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final

import msgspec

from services.gateway.metering.usage_record import Attempt, Flag, UsageRecord

MAX_COST_MICRO_RUB: Final = 9_999_999_999
MAX_INTEGER: Final = 2**31 - 1
MAX_TEXT: Final = 256
MAX_ATTEMPTS: Final = 64
MAX_TAGS: Final = 16
MAX_TAG_NAME: Final = 64
MAX_TAG_VALUE: Final = 512

_COSTS: Final = ("cost_micro_rub", "over_hold_micro_rub", "saved_micro_rub")
# The id is ours and the moment has a bound of its own: a clock, not a provider, can break it.
_OURS: Final = ("request_id", "started_at_us")
NUMBER_BOUNDS: Final = {
    field.name: MAX_COST_MICRO_RUB if field.name in _COSTS else MAX_INTEGER
    for field in msgspec.structs.fields(UsageRecord)
    if field.type is int and field.name not in _OURS
}
TEXTS: Final = tuple(
    field.name for field in msgspec.structs.fields(UsageRecord) if field.type is str and field.name not in _OURS
)
_costs: Final[Callable[[UsageRecord], tuple[int, ...]]] = attrgetter(*_COSTS)
_figures: Final[Callable[[UsageRecord], tuple[int, ...]]] = attrgetter(
    *[name for name, most in NUMBER_BOUNDS.items() if most == MAX_INTEGER]
)
_texts: Final[Callable[[UsageRecord], tuple[str, ...]]] = attrgetter(*TEXTS)


def storable(record: UsageRecord) -> UsageRecord:
    """Return the record as it can be stored, with a flag for each kind of change; mostly the record itself."""
    return record if _is_storable(record) else _changed(record)


def _is_storable(record: UsageRecord) -> bool:
    """Tell whether nothing has to be looked at one by one; of a rare text, as one in Cyrillic, it does not know."""
    attempts, costs = record.attempts, _costs(record)
    texts = [*_texts(record), *[text for each in attempts for text in (each.provider, each.model, each.reason)]]
    figures = [*_figures(record), *[each.latency_ms for each in attempts]]
    all_texts = "".join(texts)
    return (
        all_texts.isascii()
        and "\0" not in all_texts
        and max(map(len, texts)) <= MAX_TEXT
        and min(figures) >= 0
        and max(figures) <= MAX_INTEGER
        and min(costs) >= 0
        and max(costs) <= MAX_COST_MICRO_RUB
        and len(attempts) <= MAX_ATTEMPTS
        and (not record.metadata or _are_tags(record.metadata))
    )


def _changed(record: UsageRecord) -> UsageRecord:
    changes: dict[str, Any] = {}
    flags = []
    for name, most in NUMBER_BOUNDS.items():
        value = getattr(record, name)
        if not 0 <= value <= most:
            changes[name] = min(max(value, 0), most)
            flags.append(Flag.COST_CLAMPED if name in _COSTS else Flag.FIGURES_CLAMPED)
    for name in TEXTS:
        text = getattr(record, name)
        if not is_text(text):
            changes[name] = shortened(text)
            flags.append(Flag.TEXT_CLAMPED)
    if not _are_attempts(record.attempts):
        changes["attempts"] = tuple(map(_attempt, record.attempts[:MAX_ATTEMPTS]))
        flags.append(Flag.TEXT_CLAMPED)
    if not _are_tags(record.metadata):
        changes["metadata"] = _tags(record.metadata)
        flags.append(Flag.TEXT_CLAMPED)
    if not changes:
        return record
    changes["flags"] = joined(record.flags, flags)
    return msgspec.structs.replace(record, **changes)


def joined(flags: str, more: Iterable[Flag]) -> str:
    """Return the flags of a row with more of them, each once, in the order of `Flag`."""
    kept = {*flags.split(","), *more}
    return ",".join([flag.value for flag in Flag if flag in kept])


def is_text(text: str, most: int = MAX_TEXT) -> bool:
    """Tell whether every store and wire takes the text: short enough, no NUL, no half of a surrogate pair."""
    if len(text) > most or "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """Return the text without what no store takes, as long as it may be."""
    kept = (char for char in text[: 4 * most] if char != "\0" and not "\ud800" <= char <= "\udfff")
    return "".join(kept)[:most]


def _are_tags(tags: dict[str, str]) -> bool:
    return len(tags) <= MAX_TAGS and all(
        is_text(name, MAX_TAG_NAME) and is_text(value, MAX_TAG_VALUE) for name, value in tags.items()
    )


def _tags(tags: dict[str, str]) -> dict[str, str]:
    first = list(tags.items())[:MAX_TAGS]
    return {shortened(name, MAX_TAG_NAME): shortened(value, MAX_TAG_VALUE) for name, value in first}


def _are_attempts(attempts: tuple[Attempt, ...]) -> bool:
    return len(attempts) <= MAX_ATTEMPTS and all(
        is_text(each.provider) and is_text(each.model) and is_text(each.reason) and 0 <= each.latency_ms <= MAX_INTEGER
        for each in attempts
    )


def _attempt(attempt: Attempt) -> Attempt:
    latency_ms = min(max(attempt.latency_ms, 0), MAX_INTEGER)
    return Attempt(shortened(attempt.provider), shortened(attempt.model), shortened(attempt.reason), latency_ms)

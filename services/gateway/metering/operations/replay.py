"""Sends dead letters to the usage service again, each until it is stored once."""

from __future__ import annotations

from dataclasses import dataclass

from servicekit.errors import InvalidRequest
from services.gateway.metering.dead_letters import DeadLetter, DeadLetters
from services.gateway.metering.interfaces import SendRecords
from services.gateway.metering.usage_record import Rejected


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of the letters that were waiting."""

    stored: list[DeadLetter]
    refused: list[tuple[DeadLetter, Rejected]]


async def replay(letters: DeadLetters, send: SendRecords) -> Replayed:
    """Send every waiting letter, one at a time, and mark those that are stored.

    Raises:
        ServiceError: the usage service is away; what was stored before is marked.
        OSError: the marks cannot be written.
    """
    result = Replayed([], [])
    for letter in letters.waiting():
        refused = await _send(letter, send)
        if refused is None:
            letters.mark_replayed(letter)
            result.stored.append(letter)
        else:
            result.refused.append((letter, refused))
    return result


async def _send(letter: DeadLetter, send: SendRecords) -> Rejected | None:
    try:
        rejected = await send([letter.record])
    except InvalidRequest as exc:
        return Rejected(letter.record.request_id, exc.param or "", exc.message)
    return rejected[0] if rejected else None

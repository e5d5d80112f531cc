"""What an admitted request holds: its ticket, and its facts in the form that Redis and the journal keep."""

from __future__ import annotations

from typing import Final

import msgspec

from services.gateway.metering.older_versions import with_zeros
from services.gateway.metering.usage_record import RequestFacts

# JSON, not msgpack: the script that keeps the facts beside the hold hands them on as text.
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(RequestFacts).decode


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """What is needed to settle an admitted request, also by another process after a crash.

    Attributes:
        admitted_at_us: Redis time of the admission; 0 when Redis was lost and the request was admitted locally.
        budget_keys: names of the budget counters of the periods that the request was admitted in.
        shared_admitted_at_us: the same by the clock of where its organization's counters are; 0: there is one clock.
    """

    user_id: str
    request_id: str
    admitted_at_us: int = 0
    budget_keys: tuple[str, ...] = ()
    shared_admitted_at_us: int = 0


class Hold(msgspec.Struct, frozen=True):
    """A hold found in Redis: whose, until when its owner promised to be alive, and its facts.

    `elsewhere` are the names of counters that it holds in on other servers of a cluster.
    """

    user_id: str
    request_id: str
    expires_at_us: int
    facts: RequestFacts
    elsewhere: tuple[str, ...] = ()

    @property
    def ticket(self) -> Ticket:
        """Return what settles this hold; its other counters are named by the hold itself."""
        return Ticket(self.user_id, self.request_id, self.expires_at_us, self.elsewhere)


def encode_facts(facts: RequestFacts) -> str:
    """Return the facts as they are kept with the hold and in the journal."""
    return _encode(facts).decode()


def decode_facts(text: str) -> RequestFacts:
    """Return the facts, also those that an earlier version kept.

    Raises:
        msgspec.DecodeError: they are none of ours.
    """
    try:
        return _decode(text)
    except msgspec.ValidationError:
        values = with_zeros(msgspec.json.decode(text, type=list[object]), RequestFacts)
        return msgspec.convert(values, RequestFacts)

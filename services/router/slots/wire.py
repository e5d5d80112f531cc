"""Messages between a replica and a queue in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

# In the place of a credential: the line is full.
FULL: Final = "!"


class Told(msgspec.Struct, frozen=True):
    """A message of a replica.

    Attributes:
        replica: its name; the ids of its tickets begin with it and a dot.
        seq: rises with each statement: an old one that arrives late says nothing.
        known: it has been here before.
        gone: it holds nothing any more and will not come back.
        held: slots by credential, in use or kept.
        wants: how many more it would keep.
        taken: tickets whose slot it has received.
        left: tickets that wait no more.
        joined: tickets that begin to wait: id, user, share, credentials that they avoid.
        limits: credentials and what each allows, the same at every replica.
        places: tickets that may wait in all.
        quiet_ms: for how long nothing is given after all was lost.
    """

    replica: str
    seq: int
    known: bool
    gone: bool
    held: Mapping[str, int]
    wants: int
    taken: Sequence[str]
    left: Sequence[str]
    joined: Sequence[tuple[str, str, float, Sequence[str]]]
    limits: Sequence[tuple[str, int]]
    places: int
    lease_ms: int
    quiet_ms: int


class Heard(msgspec.Struct, frozen=True):
    """The queue's answer.

    Attributes:
        stale: it had heard a later statement: this one counted for nothing.
        forgotten: it knows nothing of what was told before.
        given: credential by ticket; FULL: the ticket has lost its place.
        ahead: tickets before each of those that have joined.
        spare: slots to keep, by credential.
        waiting: tickets of all replicas.
        replicas: how many there are.
    """

    stale: bool = False
    forgotten: bool = False
    given: Sequence[tuple[str, str]] = msgspec.field(default=(), name="mail")
    ahead: Sequence[tuple[str, int]] = ()
    spare: Mapping[str, int] = msgspec.field(default_factory=dict)
    waiting: int = 0
    replicas: int = 1


def heard_from(said: bytes) -> Heard:
    """Return an answer as it was meant."""
    # Lua knows no difference between an empty list and an empty object.
    fields = {name: value for name, value in msgspec.json.decode(said).items() if value != {}}
    return msgspec.convert(fields, Heard)

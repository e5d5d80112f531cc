"""The state of an imported account on its way to a password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class InvitationState(StrEnum):
    """The state of an imported account."""

    OPEN = "open"
    """Nobody wrote to its owner yet."""
    WAITING = "waiting"
    """The mail waits to be sent."""
    SENT = "sent"
    CLAIMED = "claimed"
    """Its owner has a password, or logs in by another service."""
    REFUSED = "refused"
    """The mail server took no mail for this address."""
    UNNEEDED = "unneeded"
    """It was shut, or its address changed, before the mail's turn came; the next run tries again if it is open."""
    GIVEN_UP = "given_up"
    """The mail could not be sent in a week; the next run tries again."""
    NO_ADDRESS = "no_address"
    """The source had no address that mail can go to."""
    SHUT = "shut"
    """Disabled or deleted."""

    @property
    def is_to_be_invited(self) -> bool:
        """Tell whether a mail is still to be sent."""
        return self in (InvitationState.OPEN, InvitationState.GIVEN_UP, InvitationState.UNNEEDED)


@dataclass(frozen=True, slots=True)
class Invitation:
    """An imported account and its state.

    Attributes:
        written_to: the address that the mail went to; "" when there was none.
    """

    user_id: str
    email: str
    state: InvitationState
    written_to: str = ""
    queued_at: datetime | None = None

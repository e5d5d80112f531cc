"""A request, or its ticket, by the owners whose keys it touches: each gets a half that is a whole call of a script.

Organizations come first, the user last. So the user's half, which has the facts, is there only while the others are:
whoever finds it can settle all of it, and whoever finds another one alone knows that nobody will.
"""

from __future__ import annotations

from services.gateway.admission.codec import budget_of
from services.gateway.admission.keys import owner_of_key
from services.gateway.admission.request import AdmissionRequest
from services.gateway.admission.wire import HalfCall, Mode, pack
from services.gateway.metering.hold import Ticket, encode_facts


def owners_of(request: AdmissionRequest) -> tuple[str, ...]:
    """Return whose keys a request touches: organizations first, its user last."""
    shared = dict.fromkeys(counter.owner for counter in request.counters if counter.owner != request.user_id)
    return (*shared, request.user_id)


def half_payload(request: AdmissionRequest, owner: str, *, mode: Mode, lease_us: int) -> bytes:
    """Pack the argument of `admit.lua` for one of the owners: its counters; limits and facts only in the user's."""
    is_user = owner == request.user_id
    least = request.least_hold_micro_rub
    others = tuple(counter.key for counter in request.counters if counter.owner != request.user_id)
    call = HalfCall(
        request_id=request.request_id,
        mode=mode,
        lease_us=lease_us,
        tokens=request.estimated_tokens,
        hold=request.hold_micro_rub,
        subjects=request.subjects if is_user else (),
        budgets=[budget_of(counter, owner, least) for counter in request.counters if counter.owner == owner],
        facts=encode_facts(request.facts) if is_user else "",
        tally=request.tally if is_user else "",
        elsewhere=others if is_user else None,
        member=None if is_user else request.user_id,
    )
    return pack(call)


def tickets_of(ticket: Ticket) -> list[tuple[str, Ticket]]:
    """Return owner and ticket of each half of a ticket, in the order in which they are settled."""
    keys: dict[str, list[str]] = {}
    for key in ticket.budget_keys:
        keys.setdefault(owner_of_key(key), []).append(key)
    own = Ticket(ticket.user_id, ticket.request_id, ticket.admitted_at_us, tuple(keys.pop(ticket.user_id, ())))
    at_us = ticket.admitted_at_us and (ticket.shared_admitted_at_us or ticket.admitted_at_us)
    shared = [(owner, Ticket(owner, ticket.request_id, at_us, tuple(found))) for owner, found in keys.items()]
    return [*shared, (ticket.user_id, own)]

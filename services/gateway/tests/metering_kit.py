"""What the tests of metering share: facts, outcomes, a sink that stores each request id once."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from servicekit.errors import ErrorReason, InvalidRequest, Unavailable
from services.gateway.metering.hold import Hold, Ticket, encode_facts
from services.gateway.metering.journal.records import Dispatched
from services.gateway.metering.settle import interrupted
from services.gateway.metering.usage_record import (
    Outcome,
    Price,
    Rejected,
    RequestFacts,
    Status,
    TokenUsage,
    UsageRecord,
)

PRICE = Price("v1", 400, 800)


def ticket(request_id: str | None = None) -> Ticket:
    """Return the ticket of an admitted request; without an id it gets a new one."""
    return Ticket("user-1", request_id or str(uuid.uuid4()), 1)


def facts(**changes: Any) -> RequestFacts:
    """Return the facts of a plain request; one not named here has the sample of its type."""
    samples: dict[Any, Any] = {str: "text", int: 7, bool: True, bytes: b"digest", dict[str, str]: {"team": "search"}}
    given = {field.name: samples.get(field.type) for field in msgspec.structs.fields(RequestFacts)} | {
        "boot_id": "boot",
        "key_id": "key-1",
        "provider": "yandexgpt",
        "model": "yandexgpt:latest",
        "price": PRICE,
        "input_tokens": 10,
        "started_at_us": 1_795_000_000_000_000,
        "grant_id": "grant-1",
        "client_id": "client-1",
        "requested_model": "yandexgpt",
        "endpoint": "chat.completions",
        "stream": True,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "input_bound": 10**8,
        "output_bound": 10**8,
        "hold_micro_rub": 10**10,
        "idempotent": False,
    }
    return RequestFacts(**{**given, **changes})


def dispatched(request_id: str) -> Dispatched:
    """Return what the journal says of a request that goes out."""
    return Dispatched(ticket(request_id), encode_facts(facts()))


def outcome(status: Status, **changes: Any) -> Outcome:
    """Return how a request ended of which nothing else is known."""
    return msgspec.structs.replace(interrupted(0, ""), **{"status": status, "http_status": 200, **changes})


def completed(tokens_input: int = 10, tokens_output: int = 20, **changes: Any) -> Outcome:
    """Return a completed outcome with the provider's own count."""
    return outcome(Status.COMPLETED, usage=TokenUsage(tokens_input, tokens_output), **changes)


class Sink:
    """Stands for usage.Record: a set, with faults on demand."""

    def __init__(self, *, seed: int = 0, fail_before: float = 0.0, fail_after: float = 0.0) -> None:
        self.rows: dict[str, UsageRecord] = {}
        self.batches: list[int] = []
        self.poison: set[str] = set()
        self.rejects: set[str] = set()
        self.is_away = False
        self._rng = random.Random(seed)
        self._fail_before = fail_before
        self._fail_after = fail_after

    async def record(self, batch: Sequence[UsageRecord]) -> Sequence[Rejected]:
        """Store what is new; fail before or after storing as told."""
        if self.is_away or self._rng.random() < self._fail_before:
            raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "away")
        if any(row.request_id in self.poison for row in batch):
            raise InvalidRequest(ErrorReason.INVALID_REQUEST, "poison", param="records")
        self.batches.append(len(batch))
        for row in batch:
            if row.request_id not in self.rejects:
                self.rows.setdefault(row.request_id, row)
        if self._rng.random() < self._fail_after:
            raise TimeoutError
        return [Rejected(row.request_id, "cost", "no") for row in batch if row.request_id in self.rejects]


class Settlements:
    """Stands for admission: remembers what was settled."""

    def __init__(self) -> None:
        self.settled: list[tuple[str, int, int]] = []

    async def settle(self, ticket: Ticket, tokens: int, cost_micro_rub: int, explanation: str = "") -> None:
        """Remember."""
        self.settled.append((ticket.request_id, tokens, cost_micro_rub))


class NoHolds:
    """A Redis without holds."""

    def __init__(self, holds: Sequence[Hold] = ()) -> None:
        self.holds = list(holds)
        self.halves: list[Ticket] = []
        self.bills: dict[str, bytes] = {}
        self.asked_older_than_s: list[float] = []

    async def expired(self, *, older_than_s: float) -> AsyncIterator[Hold]:
        """Yield the holds given."""
        self.asked_older_than_s.append(older_than_s)
        for hold in self.holds:
            yield hold

    async def all(self) -> AsyncIterator[Hold]:
        """Yield the holds given."""
        for hold in self.holds:
            yield hold

    async def forsaken(self, *, older_than_s: float) -> AsyncIterator[Ticket]:
        """Yield the tickets given."""
        for ticket in self.halves:
            yield ticket

    async def kept_bill(self, user_id: str, request_id: str) -> bytes | None:
        """Return what a test kept."""
        return self.bills.get(request_id)

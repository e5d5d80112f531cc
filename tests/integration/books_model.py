"""The books of some gateways as a model: real Lua scripts on a real Redis, rows and rollups in memory.

Every step is one that the real thing can be stopped after: what a gateway knows, what its journal has, what Redis was
told and what the usage service stored are moved one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import redis

from services.gateway.admission.caps import Budget, CapMode
from services.gateway.admission.codec import admit_payload, settle_payload
from services.gateway.admission.keys import details_key, owner_of_key, parse_budget_key, shadowed_key, tally_key
from services.gateway.admission.periods import BudgetPeriod, id_time_ms
from services.gateway.admission.redis.scripts import ADMIT, RECONCILE, RECOUNT, RENEW, SEED, SETTLE, Script
from services.gateway.admission.request import AdmissionRequest
from services.gateway.admission.wire import (
    AdmitAnswer,
    Mode,
    ReconcileCall,
    RecountCall,
    RenewCall,
    SeedCall,
    Verdict,
    pack,
    read_answer,
)
from services.gateway.edge.request_id import new_request_id
from services.gateway.metering.hold import Ticket
from services.gateway.tests.metering_kit import facts
from tests.integration.usage_model import KEY, USER, UsageModel

ORGANIZATION: Final = "organization:org-1"
ZONE: Final = "Europe/Moscow"
LIMIT: Final = 5_000
LEASE_US: Final = 60_000_000
EPOCH_AHEAD_MS: Final = 5_000
ESTIMATE: Final = 7
SPENDER: Final = f"key:{KEY}"
BUDGETS: Final = (
    Budget(f"key:{KEY}", BudgetPeriod.DAY, LIMIT, id="tight"),
    # Of the same counter: one that could be left out, one that tells, one that watches.
    Budget(f"key:{KEY}", BudgetPeriod.DAY, 3 * LIMIT, id="loose"),
    Budget(f"key:{KEY}", BudgetPeriod.DAY, LIMIT // 2, CapMode.SOFT, "soft"),
    Budget(f"key:{KEY}", BudgetPeriod.DAY, LIMIT // 3, CapMode.SHADOW, "watching"),
    Budget(f"user:{USER}", BudgetPeriod.WEEK, 50 * LIMIT, id="week"),
    Budget(f"user:{USER}", BudgetPeriod.TOTAL, 100 * LIMIT),
    # Nobody is refused for it, and its counter is as exact as the others.
    Budget(f"user:{USER}", BudgetPeriod.MONTH, LIMIT, CapMode.SOFT, "month"),
    # Shared with others of an organization, in a zone of its own.
    Budget(ORGANIZATION, BudgetPeriod.DAY, 20 * LIMIT, id="shared", time_zone="Asia/Kamchatka"),
)


@dataclass(slots=True)
class Gateway:
    """One process: what it runs, what Redis has yet to hear of it, and the rows in its journal."""

    running: dict[str, tuple[AdmissionRequest, Ticket]] = field(default_factory=dict)
    late: dict[str, bytes] = field(default_factory=dict)
    journal: dict[str, tuple[Ticket, int]] = field(default_factory=dict)


class BooksModel:
    """Gateways, Redis and the usage service, one step at a time."""

    def __init__(self, client: redis.Redis, gateways: int) -> None:
        self.client = client
        client.flushdb()
        self.gateways = [Gateway() for _ in range(gateways)]
        self.usage = UsageModel()
        self.offset = timedelta()
        self.held: dict[str, int] = {}
        self.flagged: set[str] = set()
        self.appended: set[str] = set()
        # Only the reconciliation can tell: a hold whose exact settlement died with its process was released by the
        # reaper's estimate, or clocks were set back while requests ran, so that these are newer than an epoch to come.
        self.needs_reconciling = False
        self.seeds: dict[str, SeedCall] = {}
        self.epochs: dict[str, int] = {}
        self.recounts: list[RecountCall] = []
        # What the watching budget counted since Redis last lost everything, as far as answers were heard.
        self.watched = 0

    def admit(self, gateway: Gateway, hold: int, *, answered: bool = True) -> bool:
        """Ask Redis; `answered` False: the answer is lost, so the gateway decides alone and knows of no admission."""
        request = self._request(hold)
        payload = admit_payload(request, mode=Mode.DECIDE, lease_us=LEASE_US)
        answer = read_answer(self._run(ADMIT, payload))
        for key in answer.cold:
            self._ask_seed(key)
        if answered and answer.verdict is not Verdict.ADMITTED:
            return False
        if answered:
            assert all(left >= 0 for left in answer.budget_left), "a budget was overdrawn by an admission"
            self._check_watching(request, answer)
        admitted_us = answer.now_us if answered else 0
        gateway.running[request.request_id] = (
            request,
            Ticket(USER, request.request_id, admitted_us, request.counted_keys),
        )
        return True

    def _check_watching(self, request: AdmissionRequest, answer: AdmitAnswer) -> None:
        """Assert that a budget that watches counts exactly the requests that would not have fitted."""
        for counter, left in zip(request.counters, answer.budget_left, strict=True):
            for budget in counter.watching:
                is_beyond = counter.limit - left > budget.limit_micro_rub
                assert (budget.id in answer.shadowed) is is_beyond, "a watching budget counted wrong"
                self.watched += is_beyond

    def admit_alone(self, gateway: Gateway, hold: int) -> None:
        """Redis is away: the gateway decides alone."""
        request = self._request(hold)
        gateway.running[request.request_id] = (request, Ticket(USER, request.request_id, 0, request.counted_keys))

    def settle(self, gateway: Gateway, request_id: str, cost: int, *, heard: bool) -> None:
        """Journal a row, then tell Redis; `heard` False: Redis is away, so that waits."""
        request, ticket = gateway.running.pop(request_id)
        if cost > request.hold_micro_rub:
            self.flagged.add(request_id)
        gateway.journal[request_id] = (ticket, cost)
        self.appended.add(request_id)
        self._tell(gateway, ticket, cost, heard=heard)

    def void(self, gateway: Gateway, request_id: str, *, heard: bool) -> None:
        """Nobody was asked: no row, no cost."""
        _, ticket = gateway.running.pop(request_id)
        self._tell(gateway, ticket, 0, heard=heard)

    def deliver_late(self, gateway: Gateway, *, keep: bool = False) -> None:
        """Redis hears what it missed; `keep`: the answer is lost, so it will hear it again."""
        for payload in gateway.late.values():
            self._run(SETTLE, payload)
        if not keep:
            gateway.late.clear()

    def ship(self, gateway: Gateway, *, acknowledged: bool = True) -> None:
        """The usage service stores what the journal has; without the acknowledgement it gets it again."""
        for request_id, (_, cost) in gateway.journal.items():
            self.usage.store(request_id, cost)
        if acknowledged:
            gateway.journal.clear()

    def crash(self, gateway: Gateway) -> None:
        """SIGKILL and restart: what only memory had is lost, the journal tells the rest, all of it once more."""
        # Redis hears of them for the first time now, or never, and a count may have had their rows already.
        self.needs_reconciling |= bool(gateway.late.keys() & self.usage.rows.keys())
        gateway.late.clear()
        for request_id, (request, ticket) in gateway.running.items():
            gateway.journal[request_id] = (ticket, min(ESTIMATE, request.hold_micro_rub))
            self.appended.add(request_id)
        gateway.running.clear()
        for ticket, cost in gateway.journal.values():
            self._run(SETTLE, self._settlement(ticket, cost))

    def lose_disk(self, gateway: Gateway) -> None:
        """The machine is gone with its journal, of which everything was shipped."""
        self.ship(gateway)
        self.deliver_late(gateway)
        gateway.running.clear()

    def reap(self) -> None:
        """Holds without an owner become rows with an estimate, and are released."""
        owned = {name for gateway in self.gateways for name in (*gateway.running, *gateway.late)}
        holds: Any = self.client.hkeys(details_key(USER))
        for name in {each.decode() for each in holds} - owned:
            cost = min(ESTIMATE, self.held[name])
            self.usage.store(name, cost)
            self.appended.add(name)
            self._run(SETTLE, self._settlement(Ticket(USER, name, self._now_us() + LEASE_US), cost))

    def renew(self, gateway: Gateway) -> None:
        """Prolong what runs; what Redis lost is held again."""
        missing = self._run(RENEW, pack(RenewCall(LEASE_US, list(gateway.running))))
        for raw in missing:
            request, _ = gateway.running[raw.decode()]
            self._run(ADMIT, admit_payload(request, mode=Mode.RESTORE, lease_us=LEASE_US))

    def flush(self) -> None:
        """Redis loses everything."""
        self.client.flushdb()
        self.watched = 0

    def seed(self) -> None:
        """Rebuilt counters are written, from what usage said a while ago."""
        for key, call in self.seeds.items():
            if self._run(SEED, pack(call), owner_of_key(key)):
                self.epochs[key] = call.epoch_ms
        self.seeds.clear()

    def ask_tally(self) -> None:
        """Somebody asks what the key has spent in all: that is counted from now on."""
        key = tally_key(USER, SPENDER)
        if not self.client.exists(key):
            self._ask_seed(key)

    def ask_recount(self) -> None:
        """The usage service is asked again for every rebuilt counter."""
        for key, epoch_ms in self.epochs.items():
            span, epoch = parse_budget_key(key), _moment(epoch_ms)
            self.recounts.append(RecountCall(key, epoch_ms, self.usage.spent(span, None, epoch)))

    def recount(self) -> None:
        """The counters hear what usage said."""
        for call in self.recounts:
            self._run(RECOUNT, pack(call), owner_of_key(call.budget_key))
        self.recounts.clear()

    def set_clock(self, offset: timedelta) -> None:
        """Every gateway's clock jumps; counters that are being rebuilt and rows on their way are finished before."""
        self.seed()
        for gateway in self.gateways:
            self.needs_reconciling |= offset < self.offset and bool(gateway.running)
            self.ship(gateway)
            self.deliver_late(gateway)
        self.offset = offset

    def come_to_rest(self) -> None:
        """Everything that runs ends, everything on its way arrives."""
        self.seed()
        for gateway in self.gateways:
            for request_id in list(gateway.running):
                self.settle(gateway, request_id, 1, heard=True)
            self.deliver_late(gateway)
            self.ship(gateway)
        self.reap()
        self.recounts.clear()
        self.ask_recount()
        self.recount()

    def check(self) -> None:
        """Assert that the books agree, at rest."""
        assert self.appended == self.usage.rows.keys(), "appended and stored are not the same"
        rows = sum(row.cost_micro_rub for row in self.usage.rows.values())
        assert rows == sum(self.usage.days.values()), "rows and rollups differ"
        for name, row in self.usage.rows.items():
            assert row.cost_micro_rub <= self.held[name] or name in self.flagged, "posted more than was held"
        for owner in (USER, ORGANIZATION):
            assert self.client.hlen(details_key(owner)) == 0, "a hold was left"
        counted: Any = self.client.hget(shadowed_key(USER), "watching")
        assert int(counted or 0) >= self.watched, "a watching budget forgot"
        for key, (used, held) in self.counters().items():
            spent = self.usage.spent(parse_budget_key(key), None, None)
            if self.needs_reconciling and used != spent:
                self._run(RECONCILE, pack(ReconcileCall(key, used, spent)), owner_of_key(key))
                used = self.counters()[key][0]
            assert (used, held) == (spent, 0), key

    def counters(self) -> dict[str, tuple[int, int]]:
        """Return used and held of every budget counter that there is."""
        names: Any = self.client.keys("gw:{*}:b:*")
        found: dict[str, tuple[int, int]] = {}
        for name in names:
            values: Any = self.client.hmget(name, "u", "h")
            found[name.decode()] = (int(values[0]), int(values[1]))
        return found

    def _request(self, hold: int) -> AdmissionRequest:
        digits = f"{int((datetime.now(UTC) + self.offset).timestamp() * 1000):012x}"
        request_id = f"{digits[:8]}-{digits[8:]}-{new_request_id()[14:]}"
        self.held[request_id] = hold
        return AdmissionRequest(
            request_id=request_id,
            user_id=USER,
            key_id=KEY,
            model="yandexgpt:latest",
            estimated_tokens=1,
            hold_micro_rub=hold,
            facts=facts(key_id=KEY),
            budgets=BUDGETS,
            time_zone=ZONE,
            spender=SPENDER,
        )

    def _ask_seed(self, key: str) -> None:
        now_ms = int((datetime.now(UTC) + self.offset).timestamp() * 1000)
        epoch_ms, span = now_ms + EPOCH_AHEAD_MS, parse_budget_key(key)
        epoch = _moment(epoch_ms)
        newer, older = self.usage.spent(span, epoch, None), self.usage.spent(span, None, epoch)
        self.seeds[key] = SeedCall(key, older, newer, epoch_ms)

    def _tell(self, gateway: Gateway, ticket: Ticket, cost: int, *, heard: bool) -> None:
        payload = self._settlement(ticket, cost)
        if heard:
            self._run(SETTLE, payload)
        else:
            gateway.late[ticket.request_id] = payload

    def _settlement(self, ticket: Ticket, cost: int) -> bytes:
        assert id_time_ms(ticket.request_id)
        return settle_payload(ticket, 1, cost, self._now_us())

    def _now_us(self) -> int:
        seconds, micros = self.client.time()
        return int(seconds) * 1_000_000 + int(micros)

    def _run(self, script: Script, payload: bytes, owner: str = USER) -> Any:
        try:
            return self.client.evalsha(script.sha.decode(), 1, details_key(owner), payload)
        except redis.exceptions.NoScriptError:
            return self.client.eval(script.body.decode(), 1, details_key(owner), payload)


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)

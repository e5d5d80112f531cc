"""The scripts against a model in Python: any sequence of requests, settles and pauses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.admission.redis.scripts import ADMIT, SEED, SETTLE
from services.gateway.admission.wire import (
    AdmitAnswer,
    AdmitCall,
    BudgetWire,
    Mode,
    SeedCall,
    SettleCall,
    SubjectWire,
    Verdict,
    pack,
    read_answer,
)

PREFIX = "gw:{u}:"
NAMES = ("rpm", "rpd", "tpm", "concurrency")
DETAILS = f"{PREFIX}d"
WINDOW = 60e6
# More than the limits of these stories come to, less than time takes between two commands to Redis.
ROUNDING_US = 1.0
DAY = 86_400_000_000
LEASE = 30_000_000
BUDGET_KEY = f"{PREFIX}b:user:u:t"

limit = st.sampled_from([0, 1, 2, 3, 7, 1000])
limits = st.tuples(limit, limit, st.sampled_from([0, 10, 100, 777]), limit)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), st.integers(0, 150), st.integers(0, 400)),
        st.tuples(st.just("again"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("settle"), st.integers(0, 30), st.integers(0, 300)),
        st.tuples(st.just("pause"), st.integers(1, 61_000_000), st.just(0)),
    ),
    max_size=40,
)


@dataclass
class Model:
    """What the scripts promise, said plainly."""

    subjects: list[tuple[str, int, int, int, int]]
    budget: int
    rpm: dict[str, float] = field(default_factory=dict)
    tpm: dict[str, float] = field(default_factory=dict)
    today: dict[str, tuple[int, int]] = field(default_factory=dict)
    running: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # id -> tokens, hold, expiry
    used: int = 0

    @property
    def held(self) -> int:
        return sum(hold for _, hold, _ in self.running.values())

    def at_once(self, now: int) -> int:
        return sum(expiry > now for _, _, expiry in self.running.values())

    def fits(self, tokens: int, hold: int, now: int) -> bool:
        for name, rpm, rpd, tpm, at_once in self.subjects:
            if rpm and max(self.rpm.get(name, 0), now) + WINDOW / rpm - now - WINDOW > ROUNDING_US:
                return False
            if rpd and self.count(name, now) >= rpd:
                return False
            if tpm and tokens:
                more = min(tokens, tpm) * (WINDOW / tpm)
                if max(self.tpm.get(name, 0), now) + more - now - WINDOW > ROUNDING_US:
                    return False
            if at_once and self.at_once(now) >= at_once:
                return False
        return hold <= max(0, self.budget - self.used - self.held)

    def count(self, name: str, now: int) -> int:
        day, count = self.today.get(name, (0, 0))
        return count if day == now // DAY else 0

    def admit(self, request_id: str, tokens: int, hold: int, now: int) -> None:
        for name, rpm, rpd, tpm, _ in self.subjects:
            if rpm:
                self.rpm[name] = max(self.rpm.get(name, 0), now) + WINDOW / rpm
            if rpd:
                self.today[name] = (now // DAY, self.count(name, now) + 1)
            if tpm:
                self.tpm[name] = max(self.tpm.get(name, 0), now) + min(tokens, tpm) * (WINDOW / tpm)
        self.running[request_id] = (tokens, hold, now + LEASE)

    def settle(self, request_id: str, tokens: int, cost: int, now: int) -> None:
        if request_id not in self.running:
            return
        estimated = self.running.pop(request_id)[0]
        for name, _, _, tpm, _ in self.subjects:
            charged = min(estimated, tpm)
            if charged and tokens != charged:
                self.tpm[name] = max(now, max(self.tpm.get(name, 0), now) + (tokens - charged) * WINDOW / tpm)
        self.used += cost

    def pause(self, microseconds: int) -> None:
        for buckets in (self.rpm, self.tpm):
            for name in buckets:
                buckets[name] -= microseconds
        self.running = {key: (t, h, expiry - microseconds) for key, (t, h, expiry) in self.running.items()}


class Real:
    """The scripts on a Redis that is taken back in time instead of waiting."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        client.flushdb()
        client.eval(SEED.body.decode(), 1, DETAILS, pack(SeedCall(BUDGET_KEY, 0, 0, 0)))

    def admit(self, request_id, tokens, hold, subjects, budget) -> AdmitAnswer:
        wire = [SubjectWire(name, set_of(limits)) for name, *limits in subjects if any(limits)]
        budgets = [BudgetWire("user:u", BUDGET_KEY, budget, True)]
        call = AdmitCall(request_id, Mode.DECIDE, LEASE, tokens, hold, wire, budgets, "{}")
        return read_answer(self.client.eval(ADMIT.body.decode(), 1, DETAILS, pack(call)))

    def settle(self, request_id, tokens, cost):
        call = SettleCall(request_id, 0, tokens, cost, 1, 1, ())
        self.client.eval(SETTLE.body.decode(), 1, DETAILS, pack(call))

    def pause(self, microseconds: int) -> None:
        for key in self.client.keys(f"{PREFIX}s:*"):
            for name in ("rpm", "tpm"):
                value = self.client.hget(key, name)
                if value is not None:
                    self.client.hset(key, name, f"{float(value) - microseconds:.2f}")
        for pattern in (f"{PREFIX}c:*", f"{PREFIX}h"):
            for key in self.client.keys(pattern):
                for member in cast(list[bytes], self.client.zrange(key, 0, -1)):
                    self.client.zincrby(key, -microseconds, member)

    def now(self) -> int:
        seconds, micro = self.client.time()
        return seconds * 1_000_000 + micro

    def counters(self) -> tuple[int, int]:
        used, held = self.client.hmget(BUDGET_KEY, "u", "h")
        return int(used or 0), int(held or 0)

    def tpm(self, name: str) -> float:
        return float(self.client.hget(f"{PREFIX}s:{name}", "tpm") or 0)


def set_of(limits: Sequence[int]) -> dict[str, int]:
    return {name: limit for name, limit in zip(NAMES, limits, strict=True) if limit}


def check_figures(model: Model, answer: AdmitAnswer, now: int) -> None:
    """The reported remainders are those of the tightest subject."""
    figures = {str(figure.dimension): figure for figure in answer.figures}
    for at, name in enumerate(NAMES):
        limited = [subject for subject in model.subjects if subject[at + 1]]
        if not limited:
            assert name not in figures
            continue
        remaining = figures[name].remaining
        left = []
        for name, rpm, rpd, tpm, at_once in limited:
            left.append(
                [
                    lambda n=name, q=rpm: (WINDOW - max(0, model.rpm.get(n, 0) - now)) * q / WINDOW,
                    lambda n=name, q=rpd: max(0, q - model.count(n, now)),
                    lambda n=name, q=tpm: (WINDOW - max(0, model.tpm.get(n, 0) - now)) * q / WINDOW,
                    lambda n=name, q=at_once: max(0, q - model.at_once(now)),
                ][at]()
            )
        assert math.floor(min(left) - 0.5) <= remaining <= math.ceil(min(left) + 0.5)


def check_settle(model: Model, real: Real, request_id: str, tokens: int, cost: int) -> None:
    before = real.now()
    real.settle(request_id, tokens, cost)
    after = real.now()
    model.settle(request_id, tokens, cost, before)
    for name, _, _, tpm, _ in model.subjects:
        if tpm and name in model.tpm:
            actual = real.tpm(name)
            assert model.tpm[name] - 1 <= actual <= max(model.tpm[name], before) + (after - before) + 1
            model.tpm[name] = actual  # the script's clock decided


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    user=limits, key=limits, model_version=limits, budget=st.sampled_from([0, 500, 1000, 10**12]), operations=operations
)
def test_the_scripts_do_what_the_model_does(redis_server_url, user, key, model_version, budget, operations):
    """Same verdicts, same figures, same counters; a refusal changes nothing; at the end nothing is held."""
    client = redis.Redis.from_url(redis_server_url)
    real = Real(client)
    subjects = [("user", *user), ("key:k", *key), ("model:m", *model_version)]
    model = Model(subjects, budget)
    ids: list[str] = []

    for step, (name, first, second) in enumerate(operations):
        if name == "admit":
            request_id = f"r{step}"
            state = client.hgetall(f"{PREFIX}s:user")
            answer = real.admit(request_id, first, second, subjects, budget)
            now = answer.now_us
            assert answer.verdict == (Verdict.ADMITTED if model.fits(first, second, now) else Verdict.REFUSED)
            if answer.verdict is Verdict.ADMITTED:
                model.admit(request_id, first, second, now)
                ids.append(request_id)
                assert answer.budget_left == (budget - model.used - model.held,)
            else:
                assert client.hgetall(f"{PREFIX}s:user") == state
                assert answer.violated is not None
                assert answer.violated.retry_us > 0
            check_figures(model, answer, now)
        elif name == "again" and ids:
            chosen = ids[first % len(ids)]
            if chosen in model.running:
                tokens, hold, _ = model.running[chosen]
                assert real.admit(chosen, tokens, hold, subjects, budget).verdict is Verdict.ADMITTED
        elif name == "settle" and ids:
            check_settle(model, real, ids[first % len(ids)], second, second)
        elif name == "pause":
            real.pause(first)
            model.pause(first)
        assert real.counters() == (model.used, model.held)

    for request_id in list(model.running):
        check_settle(model, real, request_id, 0, 0)
    assert real.counters() == (model.used, 0)
    assert not client.keys(f"{PREFIX}[hdc]*")
    client.close()

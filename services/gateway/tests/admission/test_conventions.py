"""What Python and the scripts agree on, and the table of dimensions that both read."""

from __future__ import annotations

import dataclasses
import json

import pytest
from msgspec import structs
from razvilka.auth.v1 import auth_pb2 as pb

from servicekit.errors import ErrorReason
from services.gateway.admission.codec import admit_payload, refusal_of, report_of
from services.gateway.admission.dimensions import DIMENSIONS, LIMITED, RATES, Dimension, Limits
from services.gateway.admission.keys import RUNNING, details_key
from services.gateway.admission.periods import DAY_S, MICROSECONDS, BudgetPeriod
from services.gateway.admission.redis.conventions import CONSTANTS, FIGURES, dimension_table, prelude
from services.gateway.admission.redis.scripts import ADMIT, RENEW, load_script
from services.gateway.admission.request import AdmissionRefused, AdmissionRequest
from services.gateway.admission.wire import (
    AdmitAnswer,
    FigureWire,
    Mode,
    RenewCall,
    Verdict,
    Violation,
    pack,
    read_answer,
)
from services.gateway.clients.auth import caller_from_proto
from services.gateway.tests.admission_kit import USER, admission_on, budget, request

LEASE_US = 30 * MICROSECONDS
RUNS = f"gw:{{{USER}}}:{RUNNING}user"


def test_every_dimension_has_one_row():
    """No kind of limit is without a rule, a reason and a text."""
    assert [row.name for row in DIMENSIONS] == list(Dimension)
    assert all(row.text and isinstance(row.reason, ErrorReason) for row in DIMENSIONS)


def test_limits_have_the_fields_that_auth_sends():
    """A limit of auth without a row here would be ignored; a row without its field would never apply."""
    settings = [row.setting for row in LIMITED]

    assert sorted(settings) == sorted(field.name for field in pb.Limits.DESCRIPTOR.fields)
    assert sorted(settings) == sorted(field.name for field in dataclasses.fields(Limits) if field.init)


def test_limits_of_each_scope_arrive_in_their_place():
    """Each field of each of the three messages."""
    given = {row.setting: number for number, row in enumerate(LIMITED, 1)}
    caller = caller_from_proto(
        pb.Caller(
            user_limits=pb.Limits(**given),
            key_limits=pb.Limits(requests_per_minute=20),
            model_limits=pb.Limits(tokens_per_minute=30),
        )
    )

    assert caller.limits.user == Limits(**given)
    assert caller.limits.user.by_name == {row.name: given[row.setting] for row in LIMITED}
    assert caller.limits.key == Limits(requests_per_minute=20)
    assert caller.limits.model == Limits(tokens_per_minute=30)


def test_no_constant_of_the_scripts_is_written_twice():
    """The time spans, key parts and words of the conventions stand in no script again."""
    for name in ("admit", "settle", "renew", "seed", "recount", "reconcile", "take"):
        text = load_script(name).body.decode().removeprefix(prelude())
        code = "\n".join(line.partition("--")[0] for line in text.splitlines())
        for literal in ("60000000", "86400000", "3456000", "3600000", "'rpm'", "'s:'", "'c:'", "'x:'", "'decide'"):
            assert literal not in code


async def test_the_scripts_know_each_constant_by_its_name(redis_client):
    """Words are words there and numbers numbers."""
    names = ", ".join(f"{name} = {name}" for name in CONSTANTS)

    told = await redis_client.eval(f"{prelude()}return cjson.encode({{{names}}})", 0)

    assert json.loads(told) == CONSTANTS


async def test_the_scripts_know_the_dimensions_of_the_table(redis_client):
    """Each with its rule, what a request takes, times in microseconds, and where its state stands."""
    figures = dict.fromkeys(FIGURES, False)
    minute = {"rule": "bucket", "window_us": 60_000_000}

    told = json.loads(await redis_client.eval(f"{dimension_table()}return cjson.encode(DIMENSIONS)", 0))

    assert told == [
        {"name": "rpm", "unit": "requests", "at": 1} | minute | figures,
        {"name": "rpd", "unit": "requests", "at": 2, "rule": "calendar", "window_us": 86_400_000_000}
        | {"window_field": "rpd:w"}
        | figures,
        {"name": "tpm", "unit": "tokens", "at": 4, "seen_field": "tpm:s"} | minute | figures,
        {"name": "tpd", "unit": "tokens", "at": 6, "rule": "calendar", "window_us": 86_400_000_000}
        | {"window_field": "tpd:w"}
        | figures,
        {"name": "concurrency", "unit": "requests", "rule": "slots", "retry_us": 1_000_000} | figures,
    ]


async def test_the_scripts_read_the_state_of_a_subject_in_the_order_of_the_table(redis_client):
    """Slots have no field there; what is not stored is nothing."""
    await redis_client.hset("state", mapping={"tpm": 4, "tpm:s": 5, "rpd:w": 3, "rpm": 1, "concurrency": 9})

    told = await redis_client.eval(
        f"local call = redis.call\n{dimension_table()}return read_state(KEYS[1])", 1, "state"
    )

    assert told == [b"1", None, b"3", b"4", b"5", None, None]


@pytest.mark.parametrize("name", ["settle", "renew", "seed", "recount", "reconcile", "take", "admit"])
async def test_a_script_is_known_by_its_name_and_to_redis_by_its_digest(redis_client, name):
    """What it may use stands before it."""
    script = load_script(name, more=dimension_table()) if name == "admit" else load_script(name)

    assert (script.name, await redis_client.script_load(script.body)) == (name, script.sha.decode())
    assert script.body.startswith(prelude().encode())


def ask(asked: AdmissionRequest) -> bytes:
    return admit_payload(asked, mode=Mode.DECIDE, lease_us=LEASE_US)


async def by_script(client, asked: AdmissionRequest) -> AdmitAnswer:
    return read_answer(await client.eval(ADMIT.body, 1, details_key(USER), ask(asked), 0))


async def test_a_request_after_its_deadline_takes_nothing(redis_client):
    """Its caller has long been answered."""
    asked = request(user=Limits(requests_per_minute=5, concurrent_requests=5))

    answer = read_answer(await redis_client.eval(ADMIT.body, 1, details_key(USER), ask(asked), 1))

    assert answer.verdict is Verdict.LATE
    assert await redis_client.keys("gw:{*") == []


async def test_the_leases_of_the_dead_are_cleared_when_nobody_else_runs(redis_client):
    """They count for nothing; now they are gone too."""
    await redis_client.zadd(RUNS, {"dead": 1})

    await by_script(redis_client, request(user=Limits(concurrent_requests=5), request_id="alive"))

    assert await redis_client.zrange(RUNS, 0, -1) == [b"alive"]


async def test_a_renewal_clears_the_leases_of_the_dead(redis_client):
    """Also for a subject that is never idle."""
    await by_script(redis_client, request(user=Limits(concurrent_requests=5), request_id="alive"))
    await redis_client.zadd(RUNS, {"dead": 1})

    await redis_client.eval(RENEW.body, 1, details_key(USER), pack(RenewCall(LEASE_US, ["alive"])))

    assert await redis_client.zrange(RUNS, 0, -1) == [b"alive"]


async def test_the_counter_of_an_endless_budget_lives_as_long_as_it_is_used(redis_url, redis_client):
    """Each admission gives it another forty days."""
    budgets = (budget(10_000, BudgetPeriod.TOTAL),)
    async with admission_on(redis_url) as admission:
        (key,) = (await admission.admit(request(budgets=budgets))).ticket.budget_keys
        await redis_client.pexpire(key, 60_000)
        await admission.admit(request(budgets=budgets))

    assert await redis_client.pttl(key) > 39 * DAY_S * 1000


async def test_each_key_and_each_model_has_limits_of_its_own(redis_url):
    """What one key used is not missing from another; the account's limit is for all of them."""
    once, twice = Limits(requests_per_minute=1), Limits(requests_per_minute=4)
    async with admission_on(redis_url) as admission:
        for key_id, model in (("a", "x"), ("b", "y")):
            asked = structs.replace(request(key=once, model=once, user=twice), key_id=key_id, model=model)
            await admission.admit(asked)
        for key_id, model, subject in (("a", "z", "key"), ("c", "x", "model")):
            again = structs.replace(request(key=once, model=once, user=twice), key_id=key_id, model=model)
            with pytest.raises(AdmissionRefused) as refused:
                await admission.admit(again)
            assert refused.value.details["subject"] == subject


def test_a_remainder_is_never_told_as_less_than_nothing():
    """A limit that was lowered while requests ran leaves fewer than none."""
    answer = AdmitAnswer(Verdict.ADMITTED, 1, (FigureWire(Dimension.CONCURRENCY, 1, -1, 0),))

    assert [figure.remaining for figure in report_of(answer).figures] == [0]


@pytest.mark.parametrize(("tokens", "noted"), [(100, False), (101, True)])
def test_only_a_request_above_the_limit_is_told_to_be_smaller(tokens, noted):
    """One that fits exactly needs no advice."""
    answer = AdmitAnswer(Verdict.REFUSED, 1, violated=Violation(Dimension.TOKENS_PER_MINUTE, "user", 100, 1.5e6))

    refused = refusal_of(request(tokens=tokens), answer)

    assert ("note" in refused.details) is noted
    assert refused.retry_after_s == 1.5


def test_windows_divide_the_day():
    """A calendar window begins at midnight UTC only then."""
    assert RATES
    assert all(DAY_S % row.window_s == 0 for row in RATES)

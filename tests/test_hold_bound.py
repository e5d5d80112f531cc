"""The hold is an upper bound: over requests of every shape, by the emulator's ground truth in three dialects."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from statistics import mean

import pytest

from emulator.gigachat.schema_rules import BrokenRuleError
from emulator.openai.format import BadRequestError
from emulator.yandex.native_format import InvalidRequestError
from services.gateway.inference.estimate import estimate
from services.gateway.inference.prompt_size import chat_size
from services.gateway.metering.settle import usage_record
from services.gateway.metering.usage_record import Flag, Source, Status, UsageRecord
from services.gateway.tests.metering_kit import facts, outcome, ticket
from services.router.domain.token_shares import SCRIPTS
from tests.hostile_traffic import hostile
from tools.holds.__main__ import PRICE, Sample, admitted, usable
from tools.holds.dialects import DIALECTS, Dialect
from tools.holds.traffic import ordinary

REQUESTS = 10_000
REFUSALS = (BadRequestError, BrokenRuleError, InvalidRequestError)


def settled(dialect: Dialect, rng: random.Random) -> UsageRecord:
    """Return the row of one random request: held, answered by the emulator's rules, settled."""
    request = hostile(rng) if rng.random() < 0.8 else ordinary(rng)
    held = estimate(chat_size(request), dialect.model, PRICE)
    known = facts(
        price=PRICE,
        input_tokens=held.input_tokens,
        input_bound=held.input_bound,
        output_bound=held.output_bound,
        hold_micro_rub=held.hold_micro_rub,
    )
    return usage_record(ticket("r1"), known, outcome(Status.COMPLETED, usage=dialect.bill(request)))


@pytest.mark.parametrize("name", DIALECTS)
def test_no_honest_bill_exceeds_its_hold(name: str) -> None:
    """10,000 requests over the three dialects: n, tools, schemas, signs, digits, every script. None is disputed."""
    rng, refused, rows = random.Random(name), 0, []
    for _ in range(REQUESTS // len(DIALECTS) + 1):
        try:
            rows.append(settled(DIALECTS[name], rng))
        except REFUSALS:
            refused += 1

    assert Counter((row.source, row.flags) for row in rows) == {(Source.PROVIDER, ""): len(rows)}
    assert len(rows) > 10 * refused


def test_a_learned_hold_is_exceeded_with_a_flag_or_not_at_all() -> None:
    """What was learned from prose is too little for a prompt of single letters: it is billed whole, and flagged."""
    dialect = DIALECTS["openai"]
    taught = replace(dialect, model=replace(dialect.model, learned_shares=dict.fromkeys(SCRIPTS, 0.3)))
    rng, rows = random.Random(11), []
    for _ in range(1000):
        try:
            rows.append(settled(taught, rng))
        except REFUSALS:
            continue

    over = [row for row in rows if row.over_hold_micro_rub]
    assert over
    assert {row.flags for row in over} == {Flag.OVER_HOLD.value}
    assert {row.source for row in rows} == {Source.PROVIDER}


def test_what_a_rest_of_money_admits_costs_no_more_than_the_rest() -> None:
    """Shortened or not: the hold that a nearly spent budget admits fits into it."""
    rng, dialect = random.Random(13), DIALECTS["yandexgpt"]
    for _ in range(1000):
        left = rng.randint(0, 10**7)
        hold, _most = admitted(chat_size(ordinary(rng)), dialect.model, left)
        assert hold <= left


@pytest.mark.parametrize("parallel", [1, 4])
def test_nearly_all_of_a_budget_of_a_hundred_requests_is_usable(parallel: int) -> None:
    """Holds are larger than bills; what they keep back at the end must be little. `make holds` prints the table."""
    rng, dialect = random.Random(17), DIALECTS["openai"]
    samples = [Sample(request, chat_size(request)) for request in (ordinary(rng) for _ in range(400))]
    budget = 100 * round(mean(sample.cost(dialect, 0) for sample in samples))

    share, _ = usable(dialect, dialect.model, budget, samples, parallel)

    assert share >= 0.95

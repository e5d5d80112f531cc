"""The hold is an upper bound: over requests of every shape, by the emulator's ground truth in three dialects."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from statistics import mean
from typing import Any

import msgspec
import pytest

from emulator.gigachat.schema_rules import BrokenRuleError
from emulator.openai.format import BadRequestError
from emulator.yandex.native_format import InvalidRequestError
from servicekit.errors import InvalidRequest
from services.gateway.inference.estimate import estimate, held_input
from services.gateway.inference.size.prompt_size import chat_size
from services.gateway.inference.size.text_size import size_of
from services.gateway.metering.settle import usage_record
from services.gateway.metering.usage_record import Flag, Source, Status, UsageRecord
from services.gateway.tests.metering_kit import facts, outcome, ticket
from services.router.domain.token_shares import SCRIPTS
from services.router.providers.gigachat.schemas.reducer import reduced
from tests.hostile_traffic import hostile
from tests.random_schemas import rich_schema
from tools.holds.__main__ import PRICE, Sample, admitted, usable
from tools.holds.dialects import DIALECTS, Dialect
from tools.holds.traffic import ordinary, request_of

REQUESTS = 10_000
# The emulator's refusals, and the router's of a schema that has no words at the provider.
REFUSALS = (BadRequestError, BrokenRuleError, InvalidRequestError, InvalidRequest)


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


def test_schemas_are_held_for_as_they_are_written_out() -> None:
    """GigaChat knows no references and unions: what is sent is longer than what the caller wrote, and covered."""
    rng, grown = random.Random(19), 0
    # Without their windows, which some of these would fill.
    gigachat, openai = (replace(DIALECTS[name].model, context_length=0) for name in ("gigachat", "openai"))
    for _ in range(2000):
        schema = rich_schema(rng)
        try:
            sent = reduced(schema, "parameters", is_turned_back=True)
        except InvalidRequest:
            continue
        sent_bound = size_of(msgspec.json.encode(sent)).token_bound
        grown += sent_bound > size_of(msgspec.json.encode(schema)).token_bound
        size = chat_size(request_of({"messages": [{"role": "user", "content": "да"}], "tools": [_tool(schema)]}))
        assert sent_bound <= size.schemas.bound
        assert held_input(size, gigachat) - held_input(size, openai) == size.schemas.growth

    assert grown > 500


def test_a_schema_that_would_outgrow_its_hold_is_refused() -> None:
    """Twelve hundred references are more than are counted: nothing is sent that is not held for."""
    schema = {"type": "object", "properties": {f"имя{n}": {"$ref": "#/$defs/D"} for n in range(150)}}
    schema["$defs"] = {"D": {"type": "object", "properties": {f"поле{n}": {"type": "string"} for n in range(5)}}}
    asked = request_of({"messages": [{"role": "user", "content": "да"}], "tools": [_tool(schema)] * 8})

    with pytest.raises(InvalidRequest, match="references are written out"):
        DIALECTS["gigachat"].bill(asked)


def _tool(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": schema}}


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


@pytest.mark.parametrize("parallel", [1, 4, 16])
def test_nearly_all_of_a_budget_of_a_hundred_requests_is_usable(parallel: int) -> None:
    """Holds are larger than bills; what they keep back for a moment is waited for. `make holds` prints the table."""
    rng, dialect = random.Random(17), DIALECTS["openai"]
    samples = [Sample(request, chat_size(request)) for request in (ordinary(rng) for _ in range(400))]
    budget = 100 * round(mean(sample.cost(dialect) for sample in samples))

    spent = usable(dialect, dialect.model, budget, samples, parallel=parallel)

    assert spent.share >= 0.95
    assert spent.needless <= 0.1 * spent.asked

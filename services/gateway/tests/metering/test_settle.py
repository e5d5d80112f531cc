"""What a request costs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.metering.hold import Hold
from services.gateway.metering.settle import cost_micro_rub, counted, interrupted, reaped_record, usage_record
from services.gateway.metering.usage_record import Flag, Outcome, Price, Source, Status, TokenUsage, total_usage
from services.gateway.tests.metering_kit import PRICE, completed, facts, outcome, ticket

tokens = st.integers(0, 10**7)
prices = st.integers(0, 10**8)


@given(tokens, tokens, tokens, prices, prices, st.none() | prices)
def test_a_cost_is_exact_and_rounded_up(tokens_input, tokens_output, cached, p_in, p_out, p_cached):
    """Never below the exact price, less than one micro-rouble above it."""
    cached = min(cached, tokens_input)
    exact = Fraction(
        (tokens_input - cached) * p_in + cached * (p_in if p_cached is None else p_cached) + tokens_output * p_out, 1000
    )

    cost = cost_micro_rub(TokenUsage(tokens_input, tokens_output, cached), Price("v", p_in, p_out, p_cached))

    assert exact <= cost < exact + 1


def test_no_more_input_is_cached_than_there_is():
    """A provider that says otherwise does not make the request cheaper than free."""
    assert cost_micro_rub(TokenUsage(10, 0, 30), Price("v", 1000, 0, 100)) == 1
    assert cost_micro_rub(TokenUsage(10, 0, 4), Price("v", 1000, 0, 100)) == 7


CASES = {
    "provider's count": (completed(100, 50), 100, 50, Source.PROVIDER),
    "explicit zero is a value": (completed(0, 0), 0, 0, Source.PROVIDER),
    "completed, nobody said": (outcome(Status.COMPLETED, delivered_tokens=7), 10, 7, Source.ESTIMATED),
    "client left early": (outcome(Status.INTERRUPTED), 10, 0, Source.ESTIMATED),
    "client left mid-stream": (outcome(Status.INTERRUPTED, delivered_tokens=7), 10, 7, Source.ESTIMATED),
    "client left, provider said": (
        outcome(Status.INTERRUPTED, usage=TokenUsage(9, 9), delivered_tokens=7),
        9,
        9,
        Source.PROVIDER,
    ),
    "failed before the first token": (outcome(Status.FAILED), 0, 0, Source.ESTIMATED),
    "failed at the first token": (outcome(Status.FAILED, delivered_tokens=1), 10, 1, Source.ESTIMATED),
    "failed mid-stream": (outcome(Status.FAILED, delivered_tokens=7), 10, 7, Source.ESTIMATED),
    "gateway died": (interrupted(7, "gateway_restarted"), 10, 7, Source.ESTIMATED),
}


@pytest.mark.parametrize(("ended", "tokens_input", "tokens_output", "source"), CASES.values(), ids=CASES.keys())
def test_what_is_billed_follows_what_is_known(ended, tokens_input, tokens_output, source):
    """The table of the module, row by row."""
    row = usage_record(ticket(), facts(), ended)

    assert (row.tokens_input, row.tokens_output, row.source) == (tokens_input, tokens_output, source)
    assert row.cost_micro_rub == cost_micro_rub(TokenUsage(tokens_input, tokens_output), PRICE)
    assert row.price_version == "v1"


KEYED = facts(idempotent=True, hold_micro_rub=1)


def test_what_no_idempotency_key_keeps_costs_nothing():
    """Cut, failed or lost with its gateway: the row says what was used, and the retry is the one bill of the key."""
    ends = [interrupted(7, "gateway_restarted"), outcome(Status.FAILED, delivered_tokens=7), completed(10, 7)]

    rows = [usage_record(ticket(), KEYED, ended) for ended in ends]
    rows.append(reaped_record(Hold("user-1", "r1", 1, KEYED)))

    assert {(row.cost_micro_rub, row.flags, row.over_hold_micro_rub) for row in rows} == {(0, Flag.NOT_KEPT, 0)}
    assert [(row.tokens_input, row.tokens_output) for row in rows] == [(10, 7), (10, 7), (10, 7), (10, 0)]


def test_what_an_idempotency_key_keeps_costs_what_it_costs():
    """As if it had none; what cost nothing anyway is nothing unusual."""
    kept = completed(10, 7, answer_kept=True)
    refused = outcome(Status.FAILED)

    assert usage_record(ticket("r1"), KEYED, kept) == usage_record(ticket("r1"), facts(hold_micro_rub=1), kept)
    assert usage_record(ticket("r1"), KEYED, refused) == usage_record(ticket("r1"), facts(), refused)


def test_a_fallback_is_billed_at_the_price_of_the_model_that_answered():
    """Model, provider and price version of the row are those of the answer."""
    other = Price("v9", 1000, 2000)

    row = usage_record(ticket(), facts(), completed(1000, 1000, price=other, provider="gigachat", model="gigachat-pro"))

    assert (row.provider, row.model, row.price_version, row.cost_micro_rub) == ("gigachat", "gigachat-pro", "v9", 3000)


def claim(tokens_input: Any, tokens_output: Any, cached: Any = 0, reasoning: Any = 0, **changes: Any) -> Outcome:
    """Return how a request ended whose provider claims so much."""
    return outcome(Status.COMPLETED, usage=TokenUsage(tokens_input, tokens_output, cached, reasoning), **changes)


# What is claimed and seen, the bounds of input and output -> what is billed, and why.
CLAIMS: dict[str, tuple[Outcome, int, int, TokenUsage, Source, tuple[Flag, ...]]] = {
    "as much as asked": (claim(100, 50), 100, 50, TokenUsage(100, 50), Source.PROVIDER, ()),
    "one more in": (claim(101, 50), 100, 50, TokenUsage(100, 50), Source.DISPUTED, (Flag.INPUT_DISPUTED,)),
    "one more out": (claim(100, 51), 100, 50, TokenUsage(100, 50), Source.DISPUTED, (Flag.OUTPUT_DISPUTED,)),
    "both": (
        claim(9, 9),
        1,
        1,
        TokenUsage(1, 1),
        Source.DISPUTED,
        (Flag.INPUT_DISPUTED, Flag.OUTPUT_DISPUTED),
    ),
    "no bound is known": (claim(10**6, 10**6), 0, 0, TokenUsage(10**6, 10**6), Source.PROVIDER, ()),
    "more was delivered than asked": (claim(1, 9, delivered_tokens=9), 5, 5, TokenUsage(1, 9), Source.PROVIDER, ()),
    "more than was delivered": (
        claim(1, 10, delivered_tokens=9),
        5,
        5,
        TokenUsage(1, 9),
        Source.DISPUTED,
        (Flag.OUTPUT_DISPUTED,),
    ),
    "more than was seen": (
        claim(1, 9, delivered_bound=8),
        5,
        50,
        TokenUsage(1, 8),
        Source.DISPUTED,
        (Flag.OUTPUT_DISPUTED,),
    ),
    "seen, and nothing was asked": (
        claim(1, 9, delivered_bound=1),
        5,
        0,
        TokenUsage(1, 1),
        Source.DISPUTED,
        (Flag.OUTPUT_DISPUTED,),
    ),
    "thought in hiding": (
        claim(1, 13, reasoning=5, delivered_bound=8),
        5,
        50,
        TokenUsage(1, 13, 0, 5),
        Source.PROVIDER,
        (),
    ),
    "counted by the tokenizer": (
        outcome(Status.COMPLETED, usage=TokenUsage(4, 3, tokenized=True)),
        9,
        9,
        TokenUsage(4, 3, tokenized=True),
        Source.PROVIDER,
        (Flag.TOKENIZED,),
    ),
    "counted by the tokenizer, and too much": (
        outcome(Status.COMPLETED, usage=TokenUsage(10, 3, tokenized=True)),
        9,
        9,
        TokenUsage(9, 3, tokenized=True),
        Source.DISPUTED,
        (Flag.INPUT_DISPUTED, Flag.TOKENIZED),
    ),
    "less than none": (claim(-5, -1, -1, -1), 9, 9, TokenUsage(0, 0), Source.PROVIDER, (Flag.FIGURES_CLAMPED,)),
    "one of each": (claim(1, 1, 1, 1), 9, 9, TokenUsage(1, 1, 1, 1), Source.PROVIDER, ()),
    "no number": (claim(3.5, "9"), 9, 9, TokenUsage(0, 0), Source.PROVIDER, (Flag.FIGURES_CLAMPED,)),
    "more cached than in": (claim(4, 4, 5), 9, 9, TokenUsage(4, 4, 4), Source.PROVIDER, (Flag.FIGURES_CLAMPED,)),
    "more thought than out": (
        claim(4, 4, 0, 5),
        9,
        9,
        TokenUsage(4, 4, 0, 4),
        Source.PROVIDER,
        (Flag.FIGURES_CLAMPED,),
    ),
    "the parts of what is disputed": (
        claim(20, 4, 15),
        9,
        9,
        TokenUsage(9, 4, 9),
        Source.DISPUTED,
        (Flag.INPUT_DISPUTED,),
    ),
}


@pytest.mark.parametrize(
    ("ended", "input_bound", "output_bound", "usage", "source", "flags"), CLAIMS.values(), ids=CLAIMS.keys()
)
def test_a_claim_is_believed_as_far_as_it_is_plausible(ended, input_bound, output_bound, usage, source, flags):
    """The bound itself is plausible, one token more is not."""
    found = counted(facts(input_bound=input_bound, output_bound=output_bound), ended)

    assert (found.usage, found.source, found.flags) == (usage, source, flags)


@pytest.mark.parametrize(
    ("hold", "over", "flags"),
    [
        (19, 1, "output_disputed,over_hold"),
        (1, 19, "output_disputed,over_hold"),
        (20, 0, "output_disputed"),
        (21, 0, "output_disputed"),
        (0, 0, "output_disputed"),
    ],
    ids=["above", "far above", "exact", "below", "not known"],
)
def test_a_bill_above_its_hold_says_by_how_much(hold, over, flags):
    """Beside whatever else is unusual about it."""
    row = usage_record(ticket(), facts(hold_micro_rub=hold, output_bound=20), completed(10, 21))

    assert (row.cost_micro_rub, row.over_hold_micro_rub) == (20, over)
    assert row.flags == flags


def test_of_an_interrupted_request_nothing_is_made_up():
    """What was delivered and why it ended; the rest is unknown."""
    row = usage_record(ticket("r1"), facts(), interrupted(7, "gateway_restarted"))

    assert (row.status, row.error_code, row.tokens_output) == (Status.INTERRUPTED, "gateway_restarted", 7)
    assert (row.finish_reason, row.resolved_model, row.attempts, row.flags) == ("", "", (), "")
    assert (row.first_token_ms, row.latency_ms, row.http_status, row.over_hold_micro_rub) == (0, 0, 0, 0)
    assert interrupted(7, "x").delivered_bound == 0


def test_usages_are_added_when_all_are_known():
    """One that nobody knows makes the sum unknown."""
    first, second = TokenUsage(1, 20, 300, 4000), TokenUsage(5, 60, 700, 8000)

    assert total_usage([first, second]) == TokenUsage(6, 80, 1000, 12000)
    assert total_usage([]) == TokenUsage(0, 0)
    assert total_usage([first, None]) is None

"""Sums of one user's rows in the column store, as input of pattern detection."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Any, Final

from servicekit.postgres import sql
from services.usage.catalog_facts.domain.facts import Facts
from services.usage.column_store.engine import ColumnEngine
from services.usage.column_store.statement import rows_of
from services.usage.column_store.values import micros, moment_of
from services.usage.forecasting.domain.what_if import NEEDS_MORE, SHORT_INPUT_TOKENS, SHORT_OUTPUT_TOKENS
from services.usage.insights.domain.faults import RETRY_DAYS, STORM_ERRORS, STORM_REQUESTS
from services.usage.insights.domain.material import (
    AT_TEMPERATURE_0,
    FRACTIONS,
    LONG_INPUT_TOKENS,
    LONG_OUTPUT_TOKENS,
    DayUse,
    ErrorUse,
    FirstTokens,
    HourUse,
    Material,
    MinuteUse,
    ModelUse,
    Repeats,
    Retry,
    first_day,
    window_begins,
)


def _statement(template: str, filters: str = "", **parts: str) -> str:
    return sql(template, rows=rows_of(of_everybody=False, filters=filters), **parts)


_HOURS: Final = _statement(
    """
    SELECT toStartOfHour(u.created_at, 'UTC') AS hour, count() AS requests, sum(u.cost_micro_rub) AS cost
    {rows}
    GROUP BY hour
    ORDER BY hour
    """
)
_DAYS: Final = _statement(
    """
    SELECT
        toDate(u.created_at, 'UTC') AS day, u.key_id, toString(u.provider), toString(u.model), count(),
        countIf(u.status = 'failed'), sum(u.tokens_input), sum(u.tokens_output), sum(u.cost_micro_rub)
    {rows}
    GROUP BY day, u.key_id, u.provider, u.model
    """
)
# Of n ordered values the one at a fraction is the first whose place, from 1, is no less than the fraction of n.
_AT: Final = "arrayElement({ordered}, greatest(1, toUInt64(ceil({fraction} * length({ordered})))))"
_MINUTES: Final = _statement(
    """
    SELECT 60 * uniqExact(toStartOfHour(minute)), sum(requests), sum(requests * requests),
        if(count() = 0, 0, {p99})
    FROM (SELECT toStartOfMinute(u.created_at, 'UTC') AS minute, count() AS requests {rows} GROUP BY minute)
    """,
    p99=_AT.format(ordered="arraySort(groupArray(requests))", fraction="0.99"),
)
_NEAR: Final = """
    10 * u.tokens_input > 8 * {windows:Array(Int64)}[indexOf({models:Array(String)}, toString(u.model))]
    AND has({models:Array(String)}, toString(u.model))
"""
_LONG: Final = f"u.tokens_input > {LONG_INPUT_TOKENS} AND u.tokens_output < {LONG_OUTPUT_TOKENS}"
_CUT: Final = "u.finish_reason = 'length'"
_SHORT: Final = (
    f"u.tokens_input < {SHORT_INPUT_TOKENS} AND u.tokens_output < {SHORT_OUTPUT_TOKENS} AND u.finish_reason = 'stop'"
    f" AND bitAnd(u.traits, {NEEDS_MORE}) = 0 AND u.cache_status != 'hit'"
)
_MODELS: Final = _statement(
    """
    SELECT
        toString(u.model) AS name, count(), sum(u.cost_micro_rub), {p95}, countIf({near}),
        countIf({long}), sumIf(u.cost_micro_rub, {long}), countIf({cut}), sumIf(u.cost_micro_rub, {cut}),
        countIf({short}), sumIf(u.cost_micro_rub, {short}), sumIf(u.tokens_input, {short}),
        sumIf(u.tokens_output, {short}), sumIf(u.tokens_cached, {short})
    {rows}
    GROUP BY name
    ORDER BY name
    """,
    "AND u.status = 'completed' AND u.tokens_output > 0",
    p95=_AT.format(ordered="arraySort(groupArray(u.tokens_input))", fraction="0.95"),
    near=_NEAR,
    long=_LONG,
    cut=_CUT,
    short=_SHORT,
)
_ERRORS: Final = _statement(
    """
    SELECT key_id, name, code, errors, requests
    FROM (
        SELECT *, sum(errors) OVER (PARTITION BY key_id, name) AS requests
        FROM (
            SELECT
                u.key_id AS key_id, toString(u.model) AS name,
                if(u.status = 'failed', toString(u.error_code), '') AS code, count() AS errors
            {rows}
            GROUP BY key_id, name, code
        )
    )
    WHERE code != ''
    ORDER BY errors DESC, key_id, name, code
    LIMIT 100
    """
)
# By how often a prompt was sent: the others after the first are n-1 of n of what all n cost.
_REPEATS: Final = _statement(
    """
    SELECT times, is_steady, count(), sum(cost)
    FROM (
        SELECT
            count() AS times, min(bitAnd(u.traits, {steady}) != 0) AS is_steady, sum(u.cost_micro_rub) AS cost
        {rows}
        GROUP BY u.model, u.prompt_digest
    )
    GROUP BY times, is_steady
    """,
    "AND u.status = 'completed' AND u.cache_status != 'hit' AND u.prompt_digest != ''",
    steady=str(AT_TEMPERATURE_0),
)
_RETRIES: Final = _statement(
    """
    SELECT key_id, digest, at, failed
    FROM (
        SELECT
            u.key_id AS key_id, u.prompt_digest AS digest, toUnixTimestamp64Micro(u.created_at) AS at,
            u.status = 'failed' AS failed, count() OVER (PARTITION BY key_id, digest) AS requests,
            sum(failed) OVER (PARTITION BY key_id, digest) AS errors
        {rows}
    )
    WHERE requests >= {least} AND errors >= {failures}
    ORDER BY at
    LIMIT 20000
    """,
    "AND u.prompt_digest != ''",
    least=str(STORM_REQUESTS),
    failures=str(STORM_ERRORS),
)
_FIRST_TOKENS: Final = _statement(
    """
    SELECT
        toString(u.provider) AS by, toString(u.model) AS name, count(), countIf(u.status = 'failed'),
        countIf({own}), arraySort(groupArrayIf(u.first_token_ms, {own})) AS ordered
    {rows}
    GROUP BY by, name
    """,
    "AND u.cache_status != 'hit'",
    own="u.first_token_ms > 0 AND u.fallbacks = 0",
)
_MODEL_FIELDS: Final = tuple([field.name for field in fields(ModelUse)])


class ColumnSums:
    """Reads the input of pattern detection; `Unavailable` while ClickHouse cannot be reached."""

    def __init__(self, engine: ColumnEngine) -> None:
        self._engine = engine

    async def hours(self, user_id: str, since: datetime, feed: int) -> list[HourUse]:
        """Return the hours with requests that begin at a moment or later."""
        begin = -(-micros(since) // _HOUR_MICROS) * _HOUR_MICROS
        found = await self._ask(_HOURS, user_id, moment_of(begin), feed)
        return [HourUse(hour.replace(tzinfo=UTC), int(requests), int(cost)) for hour, requests, cost in found]

    async def material(self, user_id: str, facts: Facts, now: datetime, feed: int) -> Material:
        """Return the sums of one user's last weeks."""
        since, midnight = window_begins(now), datetime.combine(first_day(now), time(), UTC)
        (minutes,) = await self._ask(_MINUTES, user_id, since, feed)
        return Material(
            now=now,
            zone="UTC",
            facts=facts,
            hours=await self.hours(user_id, since, feed),
            days=[DayUse(*row) for row in await self._ask(_DAYS, user_id, midnight, feed)],
            minutes=MinuteUse(*map(int, minutes)),
            models=[_model(row) for row in await self._ask(_MODELS, user_id, since, feed, _windows(facts))],
            errors=[ErrorUse(*row) for row in await self._ask(_ERRORS, user_id, since, feed)],
            repeats=_repeats(await self._ask(_REPEATS, user_id, since, feed)),
            retries=[_retry(row) for row in await self._ask(_RETRIES, user_id, now - timedelta(days=RETRY_DAYS), feed)],
            first_tokens=[_first_tokens(row) for row in await self._ask(_FIRST_TOKENS, user_id, since, feed)],
        )

    async def _ask(
        self, statement: str, user_id: str, since: datetime, feed: int, more: Mapping[str, Any] | None = None
    ) -> Sequence[Sequence[Any]]:
        values = {"feed": feed, "whose": user_id, "since": micros(since), "until": micros(_END), **(more or {})}
        return await self._engine.ask(statement, values, user_id)


_HOUR_MICROS: Final = 3_600_000_000
# Behind every row there is.
_END: Final = datetime(2200, 1, 1, tzinfo=UTC)


def _windows(facts: Facts) -> dict[str, Any]:
    known = [each for each in facts if each.context_length]
    return {"models": [each.model for each in known], "windows": [each.context_length for each in known]}


def _model(row: Sequence[Any]) -> ModelUse:
    name, *numbers = row
    return ModelUse(**dict(zip(_MODEL_FIELDS, (name, *map(int, numbers)), strict=True)))


def _repeats(rows: Sequence[Sequence[Any]]) -> Repeats:
    requests = sum(times * prompts for times, _, prompts, _ in rows)
    steady = [(times, prompts, cost) for times, is_steady, prompts, cost in rows if is_steady]
    spared = sum((Fraction(cost * (times - 1), times) for times, _, cost in steady), Fraction())
    # To the nearest, halves away from zero, as the database rounds.
    return Repeats(requests, sum((times - 1) * prompts for times, prompts, _ in steady), int(spared + Fraction(1, 2)))


def _retry(row: Sequence[Any]) -> Retry:
    key_id, digest, at, failed = row
    return Retry(key_id, bytes.fromhex(digest), moment_of(at), bool(failed))


def _first_tokens(row: Sequence[Any]) -> FirstTokens:
    provider, model, requests, errors, streams, ordered = row
    places = [max(1, math.ceil(fraction * len(ordered))) for fraction in FRACTIONS]
    quantiles = tuple([ordered[place - 1] for place in places]) if ordered else ()
    return FirstTokens(provider, model, requests, errors, streams, quantiles)

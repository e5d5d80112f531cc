"""The tables of facts: replaced and read as a whole, because a catalogue has only tens of models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import asyncpg

from servicekit.postgres import database_errors
from services.usage.catalog_facts.domain.facts import DatedPrice, Facts, ModelFacts
from services.usage.store.connection import Connection

# Two gateways may push at once: one after the other, so that what is kept is what one of them said.
ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('usage.catalog_facts'))"

WITHDRAW_OTHERS: Final = """
    UPDATE usage.catalog_models
    SET is_offered = false
    WHERE is_offered
        AND model <> ALL($1::text[])
"""

PUT_MODEL: Final = """
    INSERT INTO usage.catalog_models (
        model, family, version, provider, kind, resolved_model, context_length, max_output_tokens, shutdown_at,
        deprecated_at, successor, is_offered
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, true)
    ON CONFLICT (model) DO UPDATE
    SET family = excluded.family,
        version = excluded.version,
        provider = excluded.provider,
        kind = excluded.kind,
        resolved_model = excluded.resolved_model,
        context_length = excluded.context_length,
        max_output_tokens = excluded.max_output_tokens,
        shutdown_at = excluded.shutdown_at,
        deprecated_at = excluded.deprecated_at,
        successor = excluded.successor,
        is_offered = true
"""

# A price that was entered by mistake is gone from the catalogue, so it is gone here.
DROP_PRICES: Final = "DELETE FROM usage.catalog_prices WHERE model = ANY($1::text[])"

PUT_PRICE: Final = """
    INSERT INTO usage.catalog_prices (
        model, valid_from, version, input_micro_rub_per_1k, output_micro_rub_per_1k, cached_micro_rub_per_1k
    )
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (model, valid_from) DO UPDATE
    SET version = excluded.version,
        input_micro_rub_per_1k = excluded.input_micro_rub_per_1k,
        output_micro_rub_per_1k = excluded.output_micro_rub_per_1k,
        cached_micro_rub_per_1k = excluded.cached_micro_rub_per_1k
"""

READ_MODELS: Final = """
    SELECT
        model, family, version, provider, kind, resolved_model, context_length, max_output_tokens, shutdown_at,
        deprecated_at, successor, is_offered
    FROM usage.catalog_models
    ORDER BY model
"""

READ_PRICES: Final = """
    SELECT model, version, input_micro_rub_per_1k, output_micro_rub_per_1k, cached_micro_rub_per_1k, valid_from
    FROM usage.catalog_prices
    ORDER BY model, valid_from
"""


class FactsStore:
    """The facts in PostgreSQL. Each method raises `Unavailable` while it cannot be reached."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def put(self, models: Sequence[ModelFacts]) -> None:
        """Take these over as what is offered now."""
        with database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(ONE_AT_A_TIME)
                await _put(connection, models)

    async def read(self) -> Facts:
        """Return everything that is known."""
        with database_errors():
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                models = await connection.fetch(READ_MODELS)
                prices = await connection.fetch(READ_PRICES)
        of_model: defaultdict[str, list[DatedPrice]] = defaultdict(list)
        for row in prices:
            model, *price = row.values()
            of_model[model].append(DatedPrice(*price))
        return Facts(ModelFacts(**dict(row), prices=tuple(of_model[row["model"]])) for row in models)


async def _put(connection: Connection, models: Sequence[ModelFacts]) -> None:
    names = [facts.model for facts in models]
    await connection.execute(WITHDRAW_OTHERS, names)
    await connection.executemany(PUT_MODEL, [_model_values(facts) for facts in models])
    await connection.execute(DROP_PRICES, names)
    await connection.executemany(PUT_PRICE, [_price_values(facts, price) for facts in models for price in facts.prices])


def _model_values(facts: ModelFacts) -> tuple[object, ...]:
    return (
        facts.model,
        facts.family,
        facts.version,
        facts.provider,
        facts.kind,
        facts.resolved_model,
        facts.context_length,
        facts.max_output_tokens,
        facts.shutdown_at,
        facts.deprecated_at,
        facts.successor,
    )


def _price_values(facts: ModelFacts, price: DatedPrice) -> tuple[object, ...]:
    return (
        facts.model,
        price.valid_from,
        price.version,
        price.input_micro_rub_per_1k,
        price.output_micro_rub_per_1k,
        price.cached_micro_rub_per_1k,
    )

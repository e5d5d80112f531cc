"""Facts over real gRPC into a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from razvilka.usage.v1 import catalog_facts_pb2 as pb
from razvilka.usage.v1.catalog_facts_pb2_grpc import CatalogFactsServiceStub

from servicekit.errors import InvalidRequest
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.usage.catalog_facts.domain.facts import ModelFacts
from services.usage.catalog_facts.store import FactsStore
from services.usage.server import running
from services.usage.settings import UsageSettings
from services.usage.tests.catalog_facts.models import CHEAP, DEAR, facts
from services.usage.tests.records import LONG_S
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn


@pytest.fixture
def facts_store(pool: asyncpg.Pool[asyncpg.Record]) -> FactsStore:
    return FactsStore(pool)


def message(model: ModelFacts) -> pb.ModelFacts:
    """Return what a gateway says of a model."""
    said = pb.ModelFacts(
        model=model.model,
        family=model.family,
        version=model.version,
        provider=model.provider,
        kind=model.kind,
        resolved_model=model.resolved_model,
        context_length=model.context_length,
        max_output_tokens=model.max_output_tokens,
        successor=model.successor,
    )
    if model.shutdown_at is not None:
        said.shutdown_at.FromDatetime(model.shutdown_at)
    for price in model.prices:
        added = said.prices.add(
            version=price.version,
            input_micro_rub_per_1k=price.input_micro_rub_per_1k,
            output_micro_rub_per_1k=price.output_micro_rub_per_1k,
            cached_micro_rub_per_1k=price.cached_micro_rub_per_1k,
        )
        added.valid_from.FromDatetime(price.valid_from)
    return said


@pytest.fixture
async def dsn(make_database_dsn: MakeDatabaseDsn) -> str:
    return await make_database_dsn("usage")


@pytest.fixture
async def stub(dsn: str, clock: FakeClock) -> AsyncIterator[Any]:
    settings = UsageSettings(postgres=postgres_settings(dsn))
    async with running(settings, clock=clock) as port, ready_channel(port) as channel:
        yield CatalogFactsServiceStub(channel)


async def test_what_the_gateway_says_can_be_read(stub: Any, dsn: str):
    """Every field arrives, prices oldest first, whatever their order on the way."""
    ending = facts("ending:latest", shutdown_at=datetime(2027, 1, 1, tzinfo=UTC), successor="yandexgpt-lite:latest")
    said = pb.PutCatalogFactsRequest(models=[message(DEAR), message(ending)])
    said.models[0].prices.reverse()

    await unary(stub.PutCatalogFacts, said, deadline_s=LONG_S)

    async with asyncpg.create_pool(dsn, min_size=0) as pool:
        known = await FactsStore(pool).read()
    assert sorted(known, key=lambda each: each.model) == [ending, DEAR]


async def test_facts_that_cannot_be_kept_are_an_invalid_request(stub: Any):
    """Nothing of the catalogue is taken over then."""
    with pytest.raises(InvalidRequest):
        await unary(stub.PutCatalogFacts, pb.PutCatalogFactsRequest(models=[pb.ModelFacts()]), deadline_s=LONG_S)


async def test_a_model_that_left_the_catalogue_keeps_its_prices(facts_store: FactsStore):
    """Old rows are explained by them; it may come back."""
    await facts_store.put([DEAR, CHEAP])
    await facts_store.put([CHEAP])
    without = (await facts_store.read()).find(DEAR.model)
    await facts_store.put([DEAR, CHEAP])
    again = (await facts_store.read()).find("yandexgpt")

    assert without is not None
    assert (without.is_offered, without.prices) == (False, DEAR.prices)
    assert again == DEAR


async def test_a_price_entered_by_mistake_is_gone_with_the_next_facts(facts_store: FactsStore):
    """The catalogue's history is the truth, also backwards."""
    await facts_store.put([DEAR])

    await facts_store.put([facts(DEAR.model, prices=DEAR.prices[:1])])

    found = (await facts_store.read()).find(DEAR.model)
    assert found is not None
    assert found.prices == DEAR.prices[:1]


async def test_two_gateways_may_tell_at_once(facts_store: FactsStore):
    """What is kept is what one of them said, whole."""
    await asyncio.gather(*[facts_store.put([DEAR, CHEAP] if number % 2 else [CHEAP, DEAR]) for number in range(8)])

    assert {each.model: each.prices for each in await facts_store.read()} == {
        DEAR.model: DEAR.prices,
        CHEAP.model: CHEAP.prices,
    }

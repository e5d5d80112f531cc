"""Tells usage what the catalogue says about models whenever it changed: usage itself asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import grpc
import structlog
from razvilka.usage.v1 import catalog_facts_pb2 as pb
from razvilka.usage.v1 import catalog_facts_pb2_grpc

from servicekit import rpc_client
from servicekit.clock import Clock
from servicekit.errors import ServiceError, name_of
from servicekit.timestamps import timestamp_to_proto
from services.gateway.clients.catalog import Catalog, CatalogWatch, DatedPrice, Model
from services.gateway.metering.interfaces import ElectsLeader

log = structlog.get_logger()

DEADLINE_S: Final = 10.0
CHORE: Final = "catalog_facts"


class CatalogFactsClient:
    """Puts facts about models to usage."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = catalog_facts_pb2_grpc.CatalogFactsServiceStub(channel)

    async def put(self, models: Sequence[Model]) -> None:
        """Have these kept as what is offered now.

        Raises:
            ServiceError: they are not kept; tell again.
        """
        request = pb.PutCatalogFactsRequest(models=[facts_to_proto(model) for model in models])
        await rpc_client.unary(self._stub.PutCatalogFacts, request, deadline_s=DEADLINE_S)


class CatalogFactsPush:
    """Looks whether the snapshot is another than the one told last; one gateway at a time tells."""

    def __init__(
        self, client: CatalogFactsClient, catalog: CatalogWatch, election: ElectsLeader, *, clock: Clock
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._election = election
        self._clock = clock
        self._told: Catalog | None = None

    async def run(self, *, every_s: float) -> None:
        """Look for ever; cancel it to stop. What could not be told is told at the next look."""
        while True:
            if self._catalog.is_ready and self._catalog.current() is not self._told:
                await self._try(self._catalog.current())
            await self._clock.sleep(every_s)

    async def _try(self, catalog: Catalog) -> None:
        try:
            async with self._election.elected(CHORE, timeout_s=2 * DEADLINE_S) as chosen:
                if chosen:
                    await self._client.put(catalog.models)
                    self._told = catalog
        except (TimeoutError, ServiceError) as exc:
            log.warning("catalog_facts.not_told", error=name_of(exc))


def facts_to_proto(model: Model) -> pb.ModelFacts:
    """Convert at the border."""
    return pb.ModelFacts(
        model=model.id,
        family=model.id.partition(":")[0],
        version=model.version,
        provider=model.provider,
        kind=model.kind,
        resolved_model=model.resolved_model,
        context_length=model.context_length,
        max_output_tokens=model.max_output_tokens,
        shutdown_at=timestamp_to_proto(model.shutdown_at),
        deprecated_at=timestamp_to_proto(model.deprecated_at),
        successor=model.successor,
        prices=[_price(dated) for dated in model.prices],
    )


def _price(dated: DatedPrice) -> pb.FactPrice:
    return pb.FactPrice(
        version=dated.price.version,
        input_micro_rub_per_1k=dated.price.input_micro_rub_per_1k,
        output_micro_rub_per_1k=dated.price.output_micro_rub_per_1k,
        cached_micro_rub_per_1k=dated.price.cached_micro_rub_per_1k,
        valid_from=timestamp_to_proto(dated.valid_from),
    )

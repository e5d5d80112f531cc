"""gRPC servicer of catalogue facts."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc
from razvilka.usage.v1 import catalog_facts_pb2 as pb
from razvilka.usage.v1 import catalog_facts_pb2_grpc as pb_grpc

from servicekit.timestamps import nearest_from_proto
from services.usage.catalog_facts.domain.facts import DatedPrice, ModelFacts, check
from services.usage.catalog_facts.store import FactsStore
from services.usage.rpc_values import moment_if_set

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class CatalogFactsServicer(pb_grpc.CatalogFactsServiceServicer):
    """Stores the facts that the gateway sends."""

    def __init__(self, store: FactsStore) -> None:
        self._store = store

    async def PutCatalogFacts(self, request: pb.PutCatalogFactsRequest, context: Context) -> pb.PutCatalogFactsResponse:
        """Keep the facts."""
        models = [facts_from_proto(message) for message in request.models]
        check(models)
        await self._store.put(models)
        return pb.PutCatalogFactsResponse()


def facts_from_proto(message: pb.ModelFacts) -> ModelFacts:
    """Return what a message says about a model."""
    return ModelFacts(
        model=message.model,
        family=message.family,
        version=message.version,
        provider=message.provider,
        kind=message.kind,
        resolved_model=message.resolved_model,
        context_length=message.context_length,
        max_output_tokens=message.max_output_tokens,
        shutdown_at=moment_if_set(message, "shutdown_at"),
        deprecated_at=moment_if_set(message, "deprecated_at"),
        successor=message.successor,
        prices=tuple(sorted(map(_price, message.prices), key=lambda price: price.valid_from)),
    )


def _price(message: pb.FactPrice) -> DatedPrice:
    return DatedPrice(
        message.version,
        message.input_micro_rub_per_1k,
        message.output_micro_rub_per_1k,
        message.cached_micro_rub_per_1k if message.HasField("cached_micro_rub_per_1k") else None,
        nearest_from_proto(message.valid_from),
    )

"""A request of the story as the gateway would have recorded it, at the price of its day."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import usage_pb2 as pb

from services.router.catalog.build import build_catalog
from services.router.catalog.files import CatalogFiles
from services.router.domain.catalog import Model, Price
from tools.demo_data.story import Call

PER: Final = 1_000


class Rows:
    """Makes rows of one user; `keys` are ids by the names of the story, `seed` makes the ids of the requests."""

    def __init__(self, user_id: str, keys: Mapping[str, str], seed: str) -> None:
        self._user_id = user_id
        self._keys = keys
        self._rng = random.Random(seed)  # noqa: S311 - ids, not secrets
        documents = CatalogFiles(None, None).read().documents
        catalog = build_catalog(documents, (), datetime.now(UTC))
        self._models: dict[str, Model] = {model.id: model for model in catalog.models}

    def row(self, call: Call) -> pb.UsageRecord:
        """Return the row of a request."""
        model = self._models[call.work.model]
        price = _price_at(model.prices, call.at)
        return pb.UsageRecord(
            request_id=self._id(call.at),
            user_id=self._user_id,
            key_id=self._keys[call.work.key],
            provider=model.provider,
            model=model.id,
            requested_model=model.id,
            resolved_model=model.id,
            endpoint="chat.completions",
            tokens_input=0 if call.has_failed else call.tokens_in,
            tokens_output=call.tokens_out,
            tokens_cached=0 if call.has_failed else call.tokens_cached,
            cost_micro_rub=0 if call.has_failed else _cost(price, call),
            price_version=price.version,
            status=pb.STATUS_FAILED if call.has_failed else pb.STATUS_COMPLETED,
            source=pb.SOURCE_PROVIDER,
            finish_reason="" if call.has_failed else "stop",
            error_code="provider_timeout" if call.has_failed else "",
            stream=not call.has_failed,
            started_at=_timestamp(call.at),
            first_token_ms=call.first_token_ms,
            latency_ms=call.latency_ms,
            http_status=504 if call.has_failed else 200,
            metadata={"team": call.work.tag} if call.work.tag else {},
            saved_micro_rub=0 if call.has_failed else _saved(price, call),
        )

    def _id(self, at: datetime) -> str:
        milliseconds, bits = int(at.timestamp() * 1_000), self._rng.getrandbits
        return str(UUID(int=milliseconds << 80 | 7 << 76 | bits(12) << 64 | 2 << 62 | bits(62)))


def _price_at(prices: Sequence[Price], at: datetime) -> Price:
    """Return the price of a moment; before the first one that first one."""
    known = sorted(prices, key=lambda price: price.valid_from)
    return next((price for price in reversed(known) if price.valid_from <= at), known[0])


def _cost(price: Price, call: Call) -> int:
    fresh = call.tokens_in - call.tokens_cached
    total = (
        fresh * price.input_micro_rub_per_1k
        + call.tokens_cached * price.cached_micro_rub_per_1k
        + call.tokens_out * price.output_micro_rub_per_1k
    )
    return -(-total // PER)


def _saved(price: Price, call: Call) -> int:
    return call.tokens_cached * (price.input_micro_rub_per_1k - price.cached_micro_rub_per_1k) // PER


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at.astimezone(UTC))
    return stamp

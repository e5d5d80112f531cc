"""What the router lists, its models and what it saw of them, as values."""

from __future__ import annotations

from datetime import UTC

from razvilka.router.v1 import router_pb2 as pb

from services.gateway.clients.catalog import BatchShare, DatedPrice, Model
from services.gateway.clients.completion import ModelStatus
from services.gateway.clients.timestamps import moment, to_unix_us
from services.gateway.metering.usage_record import Price


def status_from_proto(message: pb.ModelStatus) -> ModelStatus:
    """Convert at the border."""
    return ModelStatus(
        message.provider,
        message.model,
        message.status,
        message.latency_ms,
        message.error_rate,
        to_unix_us(message.updated_at) / 1e6,
        message.reason,
        moment(message, "since"),
        message.latency_p95_ms,
        message.first_content_p50_ms,
        message.first_content_p95_ms,
        message.calls,
    )


def model_from_proto(message: pb.Model) -> Model:
    """Convert at the border."""
    return Model(
        id=message.id,
        provider=message.provider,
        kind=message.kind or "chat",
        prices=tuple(sorted(map(_price, message.prices), key=lambda dated: dated.valid_from)),
        aliases=tuple(message.aliases),
        name=message.name or message.id,
        version=message.version,
        resolved_model=message.resolved_model,
        context_length=message.context_length,
        max_output_tokens=message.max_output_tokens,
        modality=message.modality or "text->text",
        supported_features=tuple(message.supported_features),
        supported_parameters=tuple(message.supported_parameters),
        default_parameters=dict(message.default_parameters),
        shutdown_at=moment(message, "shutdown_at"),
        deprecated_at=moment(message, "deprecated_at"),
        created_at=moment(message, "created_at"),
        resolved_since=moment(message, "resolved_since"),
        description=message.description,
        fallbacks=tuple(message.fallbacks),
        chars_per_token=message.chars_per_token or 3.0,
        tokens_per_message=message.tokens_per_message,
        on_disconnect=message.on_disconnect or "cancel",
        bills_input_per_choice=message.bills_input_per_choice,
        learned_shares=dict(message.learned_shares),
        successor=message.successor,
        canary=message.canary,
        writes_schemas_out=message.writes_schemas_out,
        batch_shares=tuple(
            BatchShare(share.since.ToDatetime(tzinfo=UTC), share.percent) for share in message.batch_shares
        ),
    )


def _price(message: pb.Price) -> DatedPrice:
    # Zero is a price: GigaChat's cached input is free. Only an absent one means the price of input.
    cached = message.cached_micro_rub_per_1k if message.HasField("cached_micro_rub_per_1k") else None
    price = Price(message.version, message.input_micro_rub_per_1k, message.output_micro_rub_per_1k, cached)
    return DatedPrice(price, message.valid_from.ToDatetime(tzinfo=UTC))

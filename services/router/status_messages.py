"""Status and canaries to protobuf messages."""

from __future__ import annotations

from razvilka.router.v1 import router_pb2 as pb

from services.router.status.canaries import Side
from services.router.status.domain.health import ModelHealth


def side_to_proto(side: Side) -> pb.CanarySide:
    """Return one side of a canary."""
    return pb.CanarySide(
        channel=side.channel,
        side=side.arm,
        resolved_model=side.model,
        answers=side.answers,
        failures=side.failures,
        first_content_s=side.first_content_s,
        tokens_output=side.tokens_output,
        cost_micro_rub=side.cost_micro_rub,
    )


def status_to_proto(health: ModelHealth) -> pb.ModelStatus:
    """Return what was seen of one model."""
    message = pb.ModelStatus(
        provider=health.provider,
        model=health.model,
        status=health.status,
        reason=health.reason,
        latency_ms=health.latency_ms,
        latency_p95_ms=health.latency_p95_ms,
        first_content_p50_ms=health.first_content_p50_ms,
        first_content_p95_ms=health.first_content_p95_ms,
        error_rate=health.error_rate,
        calls=health.calls,
    )
    message.updated_at.FromDatetime(health.updated_at)
    if health.since is not None:
        message.since.FromDatetime(health.since)
    return message

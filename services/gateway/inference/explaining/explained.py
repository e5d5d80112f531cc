"""What is kept of a request for a while, so that it can be explained before its row is stored, and in more detail."""

from __future__ import annotations

from typing import Final

import msgspec
import structlog

from services.gateway.metering.usage_record import Price, UsageRecord

log = structlog.get_logger()


class MetLimit(msgspec.Struct, frozen=True, array_like=True):
    """A limit as admission left it, `remaining` after the request took its estimate."""

    dimension: str
    limit: int
    remaining: int
    reset_s: float


class MetBudget(msgspec.Struct, frozen=True, array_like=True):
    """A budget as admission left it, in micro-roubles, after what the request holds."""

    subject: str
    period: str
    limit_micro_rub: int
    left_micro_rub: int
    id: str = ""
    mode: str = "hard"


class Circumstances(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What no row says of a request.

    Attributes:
        rule: who put them in order: "catalogue", "caller", or what was measured of them ("latency", "throughput").
        candidates: ids of the models that might answer, best first.
        estimated_tokens, hold_micro_rub: what admission took for it.
        gateway_ms, queue_ms, provider_ms: until its answer began.
        price: by which it is billed.
        reached: ids and modes of caps that it ran into without being refused.
    """

    candidates: tuple[str, ...]
    estimated_tokens: int
    hold_micro_rub: int
    limits: tuple[MetLimit, ...]
    budgets: tuple[MetBudget, ...]
    gateway_ms: float
    queue_ms: float
    provider_ms: float
    price: Price
    rule: str
    reached: tuple[tuple[str, str], ...] = ()


class Explanation(msgspec.Struct, frozen=True, array_like=True):
    """A request that has ended: its row, and what no row says."""

    record: UsageRecord
    circumstances: Circumstances


# JSON, not msgpack: the script that keeps it hands it on as text.
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Explanation).decode


def encode_explanation(circumstances: Circumstances, record: UsageRecord) -> str:
    """Return the text that is kept; empty: it cannot be said. It never raises: a settlement goes on."""
    try:
        return _encode(Explanation(record, circumstances)).decode()
    except ValueError as exc:
        log.warning("metering.not_explained", request_id=record.request_id, error=repr(exc))
        return ""


def decode_explanation(text: bytes) -> Explanation | None:
    """Return what was kept; None: a gateway of another version wrote it."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return None

"""Orders and wishes as JSON, the way they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.usage.reports.domain.order import Order, Wishes


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_as_dict)
decode_order: Final = msgspec.json.Decoder(Order).decode
decode_wishes: Final = msgspec.json.Decoder(Wishes).decode


def encode(value: Order | Wishes) -> str:
    """Return the JSON of an order or of wishes."""
    return _ENCODER.encode(value).decode()

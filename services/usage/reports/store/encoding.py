"""Orders and options as JSON, as they are stored.

Instances of two releases share the tables: one of these may keep a format, or a zone, that the other does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import structlog

from servicekit.errors import ErrorReason, Unavailable
from services.usage.reports.domain.order import Order, Wishes, zone_of

log = structlog.get_logger()


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_as_dict)
_decode_order: Final = msgspec.json.Decoder(Order).decode
_decode_wishes: Final = msgspec.json.Decoder(Wishes).decode


def encode(value: Order | Wishes) -> str:
    """Return the JSON of an order or of wishes."""
    return _ENCODER.encode(value).decode()


def decode_order(text: str) -> Order:
    """Return an order.

    Raises:
        Unavailable: only an instance of another version can carry it out.
    """
    with _of_this_version():
        order = _decode_order(text)
        zone_of(order.wishes)
    return order


def decode_wishes(text: str) -> Wishes:
    """Return wishes.

    Raises:
        Unavailable: only an instance of another version can fulfil them.
    """
    with _of_this_version():
        wishes = _decode_wishes(text)
        zone_of(wishes)
    return wishes


@contextmanager
def _of_this_version() -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, LookupError) as exc:
        log.warning("usage.report_of_another_version", reason=str(exc))
        text = "This report was ordered of another version of the service. Try again."
        raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, text) from exc

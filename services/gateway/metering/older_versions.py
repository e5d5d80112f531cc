"""Reads what an earlier version of the gateway wrote: a field that it did not know is the zero of its type."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from services.gateway.metering.usage_record import RequestFacts, UsageRecord

_ZEROS: Final[dict[Any, Any]] = {str: "", int: 0, bool: False, bytes: b"", dict[str, str]: {}}


def with_zeros(values: list[Any], kind: type[RequestFacts | UsageRecord]) -> list[Any]:
    """Return the stored values of a `kind`, the fields that came later as zeros.

    Raises:
        msgspec.ValidationError: it lacks a field without which it cannot be billed.
    """
    if len(values) < kind.FIELDS_OF_A_BILL:
        raise msgspec.ValidationError(f"{len(values)} fields are no {kind.__name__}")
    absent = msgspec.structs.fields(kind)[len(values) :]
    return values + [_ZEROS.get(field.type, ()) for field in absent]

"""Encodes request bodies as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from servicekit.errors import invalid_parameter
from services.router.providers.parameters import IDS, id_that_fits, json_value


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Return the bytes to send.

    Raises:
        InvalidRequest: a text that is no Unicode (a lone surrogate).
    """
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, ValueError, OverflowError, RecursionError) as exc:
        raise invalid_parameter("messages", "The request holds a value that cannot be sent as JSON.") from exc


def texts_body(wire_model: str, texts: Sequence[str], dimensions: int | None, others: Mapping[str, bytes]) -> bytes:
    """Return the body of an embeddings call as OpenAI has it; `others` are further fields, as JSON by name.

    Raises:
        InvalidRequest: a text that is no Unicode.
    """
    body: dict[str, Any] = {"model": wire_model, "input": list(texts)}
    if dimensions is not None:
        body["dimensions"] = dimensions
    body.update({name: _other(name, raw) for name, raw in others.items()})
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, ValueError) as exc:
        raise invalid_parameter("input", "A text cannot be sent as JSON.") from exc


def _other(name: str, raw: bytes) -> Any:
    return id_that_fits(json_value(raw, name)) if name in IDS else msgspec.Raw(raw)

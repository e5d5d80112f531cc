"""A field that takes one text or a list of them."""

from __future__ import annotations

from typing import Final

import msgspec

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.json_body import invalid_field

_TEXT: Final = msgspec.json.Decoder(str)


def texts_of(value: str | list[msgspec.Raw], field: str) -> list[str]:
    """Return the texts of a field that takes one text or a list of them.

    Raises:
        InvalidRequest: empty, or tokens in place of text.
    """
    texts = [value] if isinstance(value, str) else [_text(raw, f"{field}[{at}]") for at, raw in enumerate(value)]
    for at, text in enumerate(texts):
        if not text:
            where = field if isinstance(value, str) else f"{field}[{at}]"
            raise invalid_field(where, "The text is empty")
    return texts


def _text(raw: msgspec.Raw, where: str) -> str:
    try:
        return _TEXT.decode(raw)
    except msgspec.ValidationError:
        pass
    if bytes(raw).lstrip()[:1] in b"-0123456789[":
        raise InvalidRequest(
            ErrorReason.UNSUPPORTED_PARAMETER,
            f"Arrays of tokens are not supported: send text (field `{where}`).",
            param=where,
        )
    raise invalid_field(where, "Expected `str`")

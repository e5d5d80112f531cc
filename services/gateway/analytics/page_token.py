"""`next_page` of OpenAI's pages: the bucket in which the next page begins, and the group behind which it does."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

from servicekit.errors import InvalidRequest
from services.gateway.analytics.grammar import refusal

_TOKEN: Final = re.compile(r"page_([0-9]{1,11})(?:_([A-Za-z0-9_-]+))?", re.ASCII)
_group: Final = msgspec.json.Decoder(tuple[str, ...]).decode


def of(starts_s: int, group: tuple[str, ...] | None = None) -> str:
    """Return the token of a bucket's first moment in Unix seconds, and of a group whose values may be any texts."""
    if group is None:
        return f"page_{starts_s}"
    return f"page_{starts_s}_{urlsafe_b64encode(msgspec.json.encode(group)).decode().rstrip('=')}"


def read(token: str, dimensions: int) -> tuple[int, tuple[str, ...] | None]:
    """Return the moment and the group, which has so many dimensions.

    Raises:
        InvalidRequest: names `page`.
    """
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise _no_token()
    starts_s, encoded = int(found[1]), found[2]
    if encoded is None:
        return starts_s, None
    try:
        group = _group(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError as exc:
        raise _no_token() from exc
    if len(group) != dimensions:
        raise _no_token()
    return starts_s, group


def _no_token() -> InvalidRequest:
    return refusal("page", "must be `next_page` of an earlier page with the same `group_by`")

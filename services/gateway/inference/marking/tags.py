"""The caller's tags: `metadata` of the body as OpenAI has it, and a header for bodies that have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.json_body import LONGEST_NAME, invalid_field
from services.gateway.metering.storable import MAX_TAG_NAME, MAX_TAG_VALUE, MAX_TAGS, is_text

HEADER: Final = "x-razvilka-tags"
FIELD: Final = "metadata"


def tags_of(header: bytes, given: Mapping[str, str] | None) -> dict[str, str]:
    """Return the tags of a request; of a name that both say, the body's counts.

    Args:
        header: `team=search,stage=test`; names and values are UTF-8, which may be percent-encoded.
        given: those of the body.

    Raises:
        InvalidRequest: too many, or one that cannot be stored; it is named.
    """
    for name, value in (given or {}).items():
        _check(name, value)
    tags = {**_in_header(header), **(given or {})}
    if len(tags) > MAX_TAGS:
        raise invalid_field(FIELD, f"At most {MAX_TAGS} pairs are kept, got {len(tags)}")
    return tags


def _check(name: str, value: str) -> None:
    where = f"{FIELD}.{name[:LONGEST_NAME]}"
    if not name or not is_text(name, MAX_TAG_NAME):
        raise invalid_field(where, f"A name has 1 to {MAX_TAG_NAME} characters, none of them NUL")
    if not is_text(value, MAX_TAG_VALUE):
        raise invalid_field(where, f"A value has at most {MAX_TAG_VALUE} characters, none of them NUL")


def _in_header(header: bytes) -> dict[str, str]:
    tags = {}
    for pair in header.split(b",") if header else ():
        name, equals, value = _read(pair)
        if not equals or not name or not is_text(name, MAX_TAG_NAME) or not is_text(value, MAX_TAG_VALUE):
            raise _wrong(pair)
        tags[name] = value
    return tags


def _read(pair: bytes) -> list[str]:
    """Return name, sign and value; UTF-8 may be percent-encoded, or stand there as it is: `curl` sends it so."""
    try:
        return [unquote_to_bytes(part.strip()).decode() for part in pair.partition(b"=")]
    except UnicodeDecodeError:
        raise _wrong(pair) from None


def _wrong(pair: bytes) -> InvalidRequest:
    shown = pair.strip().decode(errors="replace")[:LONGEST_NAME]
    return InvalidRequest(
        ErrorReason.INVALID_REQUEST,
        f"The header {HEADER} has `{shown}`: it must be pairs like `team=search,stage=test`, "
        f"names of at most {MAX_TAG_NAME} and values of at most {MAX_TAG_VALUE} characters, percent-encoded.",
        param=HEADER,
    )

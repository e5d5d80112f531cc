"""Ids, addresses, hashes and names."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
import uuid
from collections.abc import Mapping
from typing import Final

from tests.migration.checker.cells import Cell
from tests.migration.checker.readings.meaning import Meaning

# Some other id than the old one: which, is the tool's to say, in the map of ids.
ANOTHER: Final = object()
# An address that receives no mail.
NOWHERE: Final = "@moved.invalid"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_OPEN_KEY: Final = re.compile(r"(rz|sk|key)[-_][A-Za-z0-9_-]{8,200}")
# What can log in and be written to: no signs by which lists of addresses, names before them and comments are told.
_ADDRESS: Final = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"]{1,253}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}")


def read_id(cell: Cell, *, is_part: bool) -> Meaning | None:
    """Return the id of a user or a key; `is_part`: it stands between slashes in addresses."""
    match cell.kind:
        case "text":
            text = cell.text
            fits = text is not None and 1 <= len(text) <= 128 and text.isprintable()
            fits = fits and not (is_part and ("/" in str(text) or text in (".", "..")))
            return Meaning(text) if fits else Meaning(ANOTHER, is_plain=False)
        case "integer":
            return Meaning(str(cell.raw), is_plain=False)
        case "blob":
            return Meaning(ANOTHER, is_plain=False)
        case _:
            return None


def read_request_id(cell: Cell, created_at: int) -> Meaning | None:
    """Return the id of a request; `created_at`: microseconds, which a UUIDv7 must agree with."""
    if cell.kind == "null":
        return None
    text = cell.text
    if text is None or not _UUID.fullmatch(text.lower()):
        return Meaning(ANOTHER, is_plain=False)
    whole = uuid.UUID(hex=text)
    if whole.version == 7 and int.from_bytes(whole.bytes[:6], "big") != created_at // 1_000:
        return Meaning(ANOTHER, is_plain=False)
    return Meaning(str(whole), is_plain=text == str(whole))


def read_address(cell: Cell) -> Meaning:
    """Return an address; an account without one gets one that receives nothing."""
    text = (cell.text or "").strip()
    if not 3 <= len(text) <= 254 or not _ADDRESS.fullmatch(text) or not text.isprintable():
        return Meaning(NOWHERE, is_plain=False)
    return Meaning(text, is_plain=text == cell.text)


def alike(address: str) -> str:
    """Return what people take an address for."""
    return unicodedata.normalize("NFKC", address).strip().casefold()


def read_hash(cell: Cell) -> Meaning | None:
    """Return the SHA-256 of a key."""
    if cell.kind == "blob" and len(cell.raw) == 32:
        return Meaning(cell.raw.hex(), is_plain=False)
    text = cell.text
    if text is None or not text.isascii():
        return None
    bare = text.strip(" \t\r\n")
    for form in (bare.lower(), bare.lower().removeprefix("sha256:")):
        if _HASH.fullmatch(form):
            return Meaning(form, is_plain=form == text)
    return _encoded(bare)


def _encoded(text: str) -> Meaning | None:
    if len(text) in (43, 44):
        try:
            raw = base64.b64decode(text.rstrip("=").replace("-", "+").replace("_", "/") + "=", validate=True)
        except binascii.Error:
            raw = b""
        if len(raw) == 32 and not _OPEN_KEY.fullmatch(text):
            return Meaning(raw.hex(), is_plain=False)
        if len(raw) == 32:
            # A key, or a hash: nobody can tell.
            return None
    if _OPEN_KEY.fullmatch(text):
        return Meaning(hashlib.sha256(text.encode()).hexdigest(), is_plain=False)
    return None


def is_open_key(cell: Cell) -> bool:
    """Tell whether a key itself lies where its hash belongs, or may."""
    text = cell.text if cell.kind == "text" else None
    return text is not None and _OPEN_KEY.fullmatch(text.strip(" \t\r\n")) is not None


def read_name(cell: Cell) -> Meaning:
    """Return the name of a key."""
    match cell.kind:
        case "null":
            return Meaning("", is_plain=False)
        case "text" | "blob":
            text = cell.raw.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
            return Meaning(text[:1_000], is_plain=text[:1_000] == cell.text)
        case _:
            return Meaning(repr(cell.raw), is_plain=False)


def read_provider(cell: Cell, known: Mapping[str, str]) -> Meaning | None:
    """Return 1.1's name of a provider; release 1.0 began with one."""
    if cell.kind == "null" or cell.raw == b"":
        return Meaning("gigachat", is_plain=False)
    text = _stored_text(cell)
    if text is None:
        return None
    name = known.get(text.strip().lower(), text)
    return Meaning(name, is_plain=name == text)


def read_model(cell: Cell, known: Mapping[str, str]) -> Meaning | None:
    """Return 1.1's name of a model; the row keeps the old one beside it."""
    text = _stored_text(cell)
    return Meaning(known.get(text.strip().lower(), text)) if text else None


def _stored_text(cell: Cell) -> str | None:
    text = cell.text
    return text if text is not None and len(text) <= 256 and "\0" not in text else None

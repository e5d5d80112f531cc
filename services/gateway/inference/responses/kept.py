"""What is kept of an answer for a next turn, and how it looks at rest: packed, and readable only with its id."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from services.gateway.inference.keeping.sealing import UNREADABLE, Seal, grown, shrunk
from services.gateway.schemas.inference import ChatMessage

PREFIX: Final = "resp_"
# Beside the digits of the request's id, which stands in logs: what makes the id a secret.
SECRET_BYTES: Final = 16
MOST_BYTES: Final = 2**20
# What is larger is not even packed: pictures do not get four times smaller.
_MOST_UNPACKED: Final = 4 * MOST_BYTES
_ID_LETTERS: Final = 43


class KeptResponse(msgspec.Struct, gc=False):
    """One answer: its object, the items that were sent for it, and the whole conversation so far as a chat."""

    response: dict[str, Any]
    input: list[Any]
    messages: list[ChatMessage]


class ResponseStore(Protocol):
    """Where bytes are kept for a while, by owner."""

    async def save(self, user_id: str, name: str, value: bytes) -> bool:
        """Keep bytes; False: it cannot be done at the moment."""
        ...

    async def load(self, user_id: str, name: str) -> bytes | None:
        """Return them, or None: there are none, or not any more.

        Raises:
            Unavailable: it cannot be told.
        """
        ...

    async def delete(self, user_id: str, name: str) -> bool:
        """Forget them; False: there were none.

        Raises:
            Unavailable: it cannot be told.
        """
        ...


def new_response_id(request_id: str) -> str:
    """Return the id of a response: that of the request, and a secret."""
    return PREFIX + request_id.replace("-", "") + os.urandom(SECRET_BYTES).hex()


def item_id(prefix: str, response_id: str, number: int) -> str:
    """Return the id of an item of a response; the response's own id can be read from it."""
    letters = base64.urlsafe_b64encode(bytes.fromhex(response_id.removeprefix(PREFIX))).decode().rstrip("=")
    return f"{prefix}_{letters}{number:04d}"


def response_of(item_id: str) -> str | None:
    """Return the id of the response that an item belongs to; None: it is not an id of ours."""
    letters = item_id.partition("_")[2][:_ID_LETTERS]
    if len(letters) != _ID_LETTERS or not letters.isascii():
        return None
    try:
        return PREFIX + base64.b64decode(f"{letters}=", altchars=b"-_", validate=True).hex()
    except binascii.Error:
        return None


@dataclass(frozen=True, slots=True)
class KeptResponses:
    """Keeps answers so that only who has both the owner's credential and the id can have them back.

    The store sees a hash of the id and bytes encrypted by a key that is made of it (AES-GCM): a copy of the store says
    nothing.
    """

    store: ResponseStore

    async def save(self, user_id: str, owner: str, response_id: str, kept: KeptResponse) -> bool:
        """Keep an answer; False: it is too large, or the store is away.

        Args:
            user_id: whose it is.
            owner: which of the user's applications it belongs to; "" for keys.
            response_id: of the answer.
            kept: what to keep.
        """
        encoded = msgspec.json.encode(kept)
        if len(encoded) > _MOST_UNPACKED:
            return False
        packed = await shrunk(encoded)
        if len(packed) > MOST_BYTES:
            return False
        seal = _seal(owner, response_id)
        return await self.store.save(user_id, seal.name, seal.close(packed))

    async def load(self, user_id: str, owner: str, response_id: str) -> KeptResponse | None:
        """Return an answer, or None: there is none of this id for this owner, or not any more."""
        seal = _seal(owner, response_id)
        sealed = await self.store.load(user_id, seal.name)
        packed = seal.open(sealed) if sealed is not None else None
        if packed is None:
            return None
        try:
            return msgspec.json.decode(await grown(packed), type=KeptResponse)
        except UNREADABLE:
            return None

    async def delete(self, user_id: str, owner: str, response_id: str) -> bool:
        """Forget an answer; False: there was none."""
        return await self.store.delete(user_id, _name(owner, response_id))


def _name(owner: str, response_id: str) -> str:
    return hashlib.sha256(f"name\0{owner}\0{response_id}".encode()).hexdigest()[:40]


def _seal(owner: str, response_id: str) -> Seal:
    return Seal(_name(owner, response_id), hashlib.sha256(f"key\0{owner}\0{response_id}".encode()).digest())

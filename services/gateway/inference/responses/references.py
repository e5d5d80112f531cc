"""Items that a body names by their id only: what was said here before, looked up where it is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from servicekit.errors import ErrorReason, NotFound
from services.gateway.edge.reading.json_body import decode_part, invalid_field
from services.gateway.inference.responses.kept import KeptResponse, response_of
from services.gateway.inference.responses.schemas import ItemHead

# Each is read from the store: a conversation of so many steps is sent whole, or continued by `previous_response_id`.
MOST_RESPONSES: Final = 100
# Of all that is referred to: a body has no more either, and one item may be named a thousand times.
MOST_BYTES: Final = 10 * 1024 * 1024
# Of JSON text; whatever is longer is the item itself, and is not looked at twice.
_LONGEST_REFERENCE: Final = 1024
_HEAD: Final = msgspec.json.Decoder(ItemHead)

Load = Callable[[str], Awaitable[KeptResponse | None]]


class References:
    """Looks items up, each response once."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._known: dict[str, dict[str, dict[str, Any]]] = {}
        self._left = MOST_BYTES

    async def replaced(self, given: Sequence[Raw]) -> list[Raw]:
        """Return the items, references replaced by what they stand for.

        Raises:
            NotFound: an item is not kept here for this caller, or not any more.
            InvalidRequest: there are too many, or they are too large together.
        """
        return [await self._item(raw, f"input[{index}]") for index, raw in enumerate(given)]

    async def _item(self, raw: Raw, where: str) -> Raw:
        if len(raw) > _LONGEST_REFERENCE:
            return raw
        head = decode_part(_HEAD, raw, where)
        if head.kind != "item_reference":
            return raw
        response_id = response_of(head.id or "")
        items = {} if response_id is None else await self._items(response_id, where)
        if head.id not in items:
            text = f"There is no item of this id, or not any more (field `{where}.id`): send the item itself."
            raise NotFound(ErrorReason.NOT_FOUND, text, param=f"{where}.id")
        item = msgspec.json.encode(items[head.id])
        self._left -= len(item)
        if self._left < 0:
            raise invalid_field(where, f"The items that are referred to have more than {MOST_BYTES} bytes together")
        return Raw(item)

    async def _items(self, response_id: str, where: str) -> dict[str, dict[str, Any]]:
        if response_id not in self._known:
            if len(self._known) == MOST_RESPONSES:
                raise invalid_field(where, f"The items of more than {MOST_RESPONSES} responses are referred to")
            kept = await self._load(response_id)
            output = kept.response["output"] if kept is not None else []
            self._known[response_id] = {item["id"]: item for item in output}
        return self._known[response_id]

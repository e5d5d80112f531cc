"""The export of a person's data: the account as auth tells it, and beside it what each service keeps of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import msgspec

from servicekit.call import CallContext
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.personal_data.client import PersonalDataClient

# Read before the answer begins: what fails until then has a status of its own. Nearly everybody's data are less; of the
# rest memory holds a page, and a document that breaks off is no JSON.
AHEAD_BYTES: Final = 4 * 1024 * 1024
_account: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_name: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ExportedData:
    """A document: its beginning, and what goes out behind it while it is read; None: it has been read whole."""

    beginning: bytes
    rest: AsyncGenerator[bytes, None] | None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the document.

        Raises:
            ServiceError: a part cannot be read to its end; neither is the document.
        """
        yield self.beginning
        if self.rest is not None:
            async with aclosing(self.rest) as rest:
                async for piece in rest:
                    yield piece


@dataclass(frozen=True, slots=True)
class PersonalExport:
    """Composes the document; only the gateway may ask all services."""

    accounts: AccountClient
    kept: Sequence[PersonalDataClient]

    async def begin(self, user_id: str, call: CallContext) -> ExportedData:
        """Return a document that has been read whole, or at least `AHEAD_BYTES` of it.

        Raises:
            ServiceError: a part cannot be read: there is no document without it.
        """
        written, read = self._written(user_id, call), bytearray()
        async for piece in written:
            read += piece
            if len(read) >= AHEAD_BYTES:
                return ExportedData(bytes(read), written)
        return ExportedData(bytes(read), None)

    async def _written(self, user_id: str, call: CallContext) -> AsyncGenerator[bytes, None]:
        # What auth tells stands as it came: programs read it since release 1.0.
        account = _account(await self.accounts.export_account(user_id, call))
        between = b"{\n  "
        for name, value in account.items():
            yield between + _name(name) + b": " + bytes(value)
            between = b",\n  "
        for client in self.kept:
            for part in client.parts:
                yield between + _name(part) + b": "
                async with aclosing(_rows(client, user_id, part, call)) as rows:
                    async for piece in rows:
                        yield piece
                between = b",\n  "
        yield b"\n}\n"


async def _rows(client: PersonalDataClient, user_id: str, part: str, call: CallContext) -> AsyncGenerator[bytes, None]:
    between = "[\n    "
    async with aclosing(client.pages(user_id, part, call)) as pages:
        async for rows in pages:
            for row in rows:
                yield (between + row).encode()
                between = ",\n    "
    yield b"[]" if between.startswith("[") else b"\n  ]"

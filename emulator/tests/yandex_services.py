"""An emulator with a clock of the test's own, and a caller of Yandex's smaller services over gRPC or REST."""

from typing import Any

import aiohttp
import grpc
from google.protobuf.json_format import MessageToDict, ParseDict

from emulator.testing import YANDEX_API_KEY, YANDEX_FOLDER, RunningEmulator
from emulator.yandex.grpc.methods import METHODS

KEY = (("authorization", f"Api-Key {YANDEX_API_KEY}"),)
HEADERS = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}
BY_NAME = {f"{method.service.rsplit('.', 1)[1]}.{method.name}": method for method in METHODS}


class Services:
    """Calls methods by their short names, with bodies and answers as REST has them."""

    def __init__(self, emulator: RunningEmulator, clock: list[float], channel: grpc.aio.Channel) -> None:
        """Keep them; the clock is a list of one number, which a test may change."""
        self.emulator, self.clock, self._channel = emulator, clock, channel

    async def ask(self, name: str, key: Any = KEY, /, **fields: Any) -> dict[str, Any]:
        """Return the answer of a method; a folder is named where the method has one."""
        found = await self.all(name, key, **fields)
        return found[0]

    async def all(self, name: str, key: Any = KEY, /, **fields: Any) -> list[dict[str, Any]]:
        """Return all messages of the answer; of a method that listens, `sent` is what it is sent."""
        method = BY_NAME[name]
        if "folder_id" in method.request.DESCRIPTOR.fields_by_name:
            fields.setdefault("folderId", YANDEX_FOLDER)
        kind = "stream_stream" if method.listens else "unary_stream" if method.streams else "unary_unary"
        call: Any = getattr(self._channel, kind)(
            f"/{method.service}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=method.response.FromString,
        )
        sent = [ParseDict(one, method.request()) for one in fields.pop("sent", [fields])]
        answer = call(iter(sent) if method.listens else sent[0], metadata=key, timeout=60)
        if kind == "unary_unary":
            return [MessageToDict(await answer)]
        return [MessageToDict(message) async for message in answer]

    async def done(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Let time pass until an operation is done; return what it gave."""
        self.clock[0] += self.emulator.emulator.settings.yandex_operation_s
        read = await self.ask("OperationService.Get", operationId=operation["id"])
        return dict(read["response"])

    async def status_of(self, name: str, /, **fields: Any) -> str:
        """Return the name of the gRPC status that a call ends with."""
        try:
            await self.ask(name, **fields)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    async def put(self, url: str, data: bytes) -> str:
        """Write bytes at an address; return the mark of the answer, or its status."""
        async with aiohttp.ClientSession() as http, http.put(url, data=data) as response:
            return response.headers.get("etag", str(response.status))

    async def get(self, url: str, headers: dict[str, str] | None = None) -> bytes:
        """Return the bytes at an address."""
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as response:
            return await response.read()

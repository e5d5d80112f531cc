"""Where each of Yandex's services answers: here, all at one address."""

from typing import Final

import msgspec

from emulator.core import Call
from emulator.wire.replies import Reply
from emulator.yandex.surface import YandexSurface

IDS: Final = (
    "ai-assistants", "ai-files", "ai-foundation-models", "ai-llm", "ai-stt-v3", "ai-tts-v3", "ai-vision-ocr",
    "endpoint", "iam", "operation", "searchapi",
)  # fmt: skip


class EndpointsSurface:
    """Adds the directory to the Yandex listener; a client reads it before it has a token."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register the routes."""
        self._surface = surface
        surface.routes["GET /endpoints"] = ("endpoints", self.list)
        surface.prefixes.append(("GET /endpoints/", "endpoints", self.read))

    async def list(self, call: Call) -> Reply:
        """`GET /endpoints`."""
        self._surface.choose_fault(call)
        return Reply([msgspec.json.encode({"endpoints": [_endpoint(call, name) for name in IDS]})])

    async def read(self, call: Call) -> Reply:
        """`GET /endpoints/{id}`."""
        name = call.received.path.rsplit("/", 1)[1]
        if name not in IDS:
            raise self._surface.refuse(call, 404, f"ApiEndpoint {name} not found")
        return Reply([msgspec.json.encode(_endpoint(call, name))])


def _endpoint(call: Call, name: str) -> dict[str, str]:
    """Return the address by which the client came: it can reach that one."""
    return {"id": name, "address": call.received.header("host") or ""}

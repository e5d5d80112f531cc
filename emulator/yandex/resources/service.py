"""What the routes of Yandex's smaller services share: a route takes the fields of a request and gives JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from emulator.core import Call
from emulator.wire.replies import RefusalError, Reply
from emulator.yandex.surface import YandexSurface

# Who made what is made with an API key.
ACCOUNT: Final = "ajeemulator000000000"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its fields as JSON has them, whether they came in the path, the query, the body or by gRPC."""

    surface: YandexSurface
    call: Call
    folder: str
    fields: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a field as text; empty when it was not sent."""
        return str(self.fields.get(name) or "")

    def number(self, name: str, default: int = 0) -> int:
        """Return a whole number, which JSON may hold as text; zero is not sent at all."""
        return int(self.fields.get(name) or default)

    def refuse(self, code: int, message: str) -> RefusalError:
        """Return the exception that ends the call with this error."""
        return self.surface.refuse(self.call, code, message)

    def needs(self, *names: str) -> None:
        """Refuse when one of the fields is missing."""
        for name in names:
            if not self.fields.get(name):
                raise self.refuse(400, f"{name}: value is required")


# Gives one message, or those of a stream.
Handler = Callable[[Asked], dict[str, Any] | list[dict[str, Any]]]


class Service:
    """Routes of one service; every call needs a key, and the folder that it names must be the caller's."""

    def __init__(self, surface: YandexSurface, operation: str) -> None:
        """Name the service in the log of calls by `operation`."""
        self._surface, self._operation = surface, operation

    def add(self, route: str, handle: Handler, *tails: str) -> None:
        """Register `METHOD /path`; with `tails`, the fields that the rest of the path fills."""

        async def serve(call: Call) -> Reply:
            rest = call.received.path[len(route.split(" ")[1]) :]
            in_path = dict(zip(tails, filter(None, rest.split("/")), strict=False))
            return self._served(call, handle, in_path)

        if tails:
            self._surface.prefixes.append((route, self._operation, serve))
        else:
            self._surface.routes[route] = (self._operation, serve)

    def _served(self, call: Call, handle: Handler, in_path: dict[str, str]) -> Reply:
        surface = self._surface
        folder = surface.authenticate(call)
        body = call.received.json() if call.received.body else {}
        if not isinstance(body, dict):
            raise surface.refuse(call, 400, "Request is malformed")
        fields = {**call.received.query, **body, **in_path}
        call.entry.model = str(fields.get("modelUri") or "")
        surface.choose_fault(call, model=call.entry.model)
        surface.check_folder(call, folder, fields.get("folderId") or None, call.received.header("x-folder-id"))
        asked = Asked(surface, call, folder or str(fields.get("folderId") or ""), fields)
        try:
            found = handle(asked)
        except (KeyError, TypeError, AttributeError):
            # Over REST a field may be of any shape.
            raise surface.refuse(call, 400, "Request is malformed") from None
        frames = [msgspec.json.encode(one) + b"\n" for one in (found if isinstance(found, list) else [found])]
        return Reply(frames, headers=surface.headers(call), fault=call.fault, streamed=isinstance(found, list))

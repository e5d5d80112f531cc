"""Deferred work: a service gives an Operation, which is read until it is done, or cancelled."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from emulator.core import Call
from emulator.kept import Kept
from emulator.wire.replies import Reply
from emulator.yandex.native_format import read_request, response
from emulator.yandex.surface import YandexSurface, timestamp

_TYPES: Final = "type.googleapis.com/"
_COMPLETION: Final = f"{_TYPES}yandex.cloud.ai.foundation_models.v1.CompletionResponse"
# The gRPC code of CANCELLED.
CANCELLED: Final = 1
MOST_KEPT: Final = 10_000
Finish = Callable[[], dict[str, Any]]


@dataclass(slots=True)
class Operation:
    """Work that is done at some time; what it gives is made when somebody looks behind that time."""

    id: str
    description: str
    created_at: float
    done_at: float
    finish: Finish | None
    metadata: dict[str, Any] | None
    answer: Any = None
    error: dict[str, Any] | None = None


def packed(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return a message of this type as an Any."""
    return {"@type": _TYPES + kind, **fields}


class OperationsSurface:
    """Adds the routes to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register the routes."""
        self._surface, self._core = surface, surface.core
        self._operations: Kept[Operation] = Kept(MOST_KEPT)
        surface.routes["POST /foundationModels/v1/completionAsync"] = ("chat", self.submit)
        surface.prefixes.append(("GET /operations/", "operation", self.read))

    async def submit(self, call: Call) -> Reply:
        """Take a request, answer with an Operation."""
        surface = self._surface
        folder = surface.authenticate(call)
        ask = surface.read(call, read_request)
        call.note_ask(ask)
        fault = surface.choose_fault(call, model=ask.model, ask=ask)
        surface.check_model(call, ask, folder)
        surface.check_rate(call, folder, "yandex_async_per_hour")
        surface.check_rate(call, folder, "yandex_async_per_s")
        answer = call.compose(ask, fault)
        operation = self.begin("Async GPT Completion")
        operation.answer = msgspec.Raw(f'{{"@type":"{_COMPLETION}",'.encode() + response(answer)[1:])
        return Reply(
            [msgspec.json.encode(self.told(operation, begun=True))], headers=surface.headers(call), fault=fault
        )

    def begin(
        self, description: str, finish: Finish | None = None, metadata: dict[str, Any] | None = None
    ) -> Operation:
        """Start an operation that takes as long as the settings say; `finish` gives its response, packed."""
        now = self._core.now()
        operation_id = "d7q" + self._core.new_id().replace("-", "")[-17:]
        done_at = now + self._core.settings.yandex_operation_s
        return self._operations.put(operation_id, Operation(operation_id, description, now, done_at, finish, metadata))

    def is_done(self, operation: Operation) -> bool:
        """Tell whether its time is over; then what it gives is there."""
        if self._core.now() < operation.done_at:
            return False
        if operation.finish is not None and operation.error is None:
            operation.answer, operation.finish = operation.finish(), None
        return True

    def cancel(self, operation: Operation) -> None:
        """End one that still runs."""
        if not self.is_done(operation):
            operation.done_at = self._core.now()
            operation.error = {"code": CANCELLED, "message": "Operation is cancelled", "details": []}

    async def read(self, call: Call) -> Reply:
        """Return the Operation of `/operations/{id}`; `/operations/{id}:cancel` ends one that still runs."""
        surface = self._surface
        folder = surface.authenticate(call)
        fault = surface.choose_fault(call)
        surface.check_rate(call, folder, "yandex_operation_reads_per_s")
        operation_id, _, verb = call.received.path.rsplit("/", 1)[1].partition(":")
        operation = self._operations.get(operation_id)
        if operation is None:
            raise surface.refuse(call, 404, f"Operation {operation_id} not found")
        if verb == "cancel":
            self.cancel(operation)
        return Reply([msgspec.json.encode(self.told(operation))], headers=surface.headers(call), fault=fault)

    def told(self, operation: Operation, *, begun: bool = False) -> dict[str, Any]:
        """Return what the API says about it, as when it has just begun if so wanted; there is no `result` wrapper."""
        done = not begun and self.is_done(operation)
        body: dict[str, Any] = {
            "id": operation.id,
            "description": operation.description,
            "createdAt": timestamp(operation.created_at),
            "createdBy": "ajeemulator000000000",
            "modifiedAt": timestamp(operation.done_at if done else operation.created_at),
            "done": done,
            "metadata": operation.metadata,
        }
        if operation.error is not None:
            return {**body, "error": operation.error}
        return {**body, "response": operation.answer} if done else body

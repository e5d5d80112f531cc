"""Deferred generation: `completionAsync` gives an Operation, which is read until it is done, or cancelled."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from emulator.core import Call
from emulator.toy_model.answer import Answer
from emulator.wire.replies import Reply
from emulator.yandex.native_format import read_request, response
from emulator.yandex.surface import YandexSurface, timestamp

_RESPONSE_TYPE: Final = b'{"@type":"type.googleapis.com/yandex.cloud.ai.foundation_models.v1.CompletionResponse",'
# The gRPC code of CANCELLED.
_CANCELLED: Final = 1
MOST_KEPT: Final = 10_000


@dataclass(slots=True)
class _Operation:
    id: str
    answer: Answer
    created_at: float
    done_at: float
    cancelled_at: float | None = None


class OperationsSurface:
    """Adds the routes to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register the routes."""
        self._surface, self._core = surface, surface.core
        self._operations: dict[str, _Operation] = {}
        surface.routes["POST /foundationModels/v1/completionAsync"] = ("chat", self.submit)
        surface.prefixes.append(("GET /operations/", "operation", self.read))

    async def submit(self, call: Call) -> Reply:
        """Take a request, answer with an Operation."""
        surface = self._surface
        folder = surface.authenticate(call)
        ask = surface.read(call, read_request)
        call.note_ask(ask)
        fault = call.choose_fault(model=ask.model, ask=ask)
        instead = surface.instead(call, fault)
        if instead is not None:
            return instead
        surface.check_model(call, ask, folder)
        surface.check_rate(call, folder, "yandex_async_per_hour")
        surface.check_rate(call, folder, "yandex_async_per_s")
        operation = self._begin(call.compose(ask, fault))
        return Reply([_written(operation, done=False)], headers=surface.headers(call), fault=fault)

    def _begin(self, answer: Answer) -> _Operation:
        now = self._core.now()
        operation_id = "d7q" + self._core.new_id().replace("-", "")[-17:]
        if len(self._operations) >= MOST_KEPT:
            self._operations.pop(next(iter(self._operations)))
        operation = _Operation(operation_id, answer, now, now + self._core.settings.yandex_operation_s)
        self._operations[operation_id] = operation
        return operation

    async def read(self, call: Call) -> Reply:
        """Return the Operation of `/operations/{id}`; `/operations/{id}:cancel` ends one that still runs."""
        surface = self._surface
        folder = surface.authenticate(call)
        fault = call.choose_fault()
        instead = surface.instead(call, fault)
        if instead is not None:
            return instead
        surface.check_rate(call, folder, "yandex_operation_reads_per_s")
        operation_id, _, verb = call.received.path.rsplit("/", 1)[1].partition(":")
        operation = self._operations.get(operation_id)
        if operation is None:
            raise surface.refuse(call, 404, f"Operation {operation_id} not found")
        if verb == "cancel" and operation.done_at > self._core.now():
            operation.cancelled_at = operation.done_at = self._core.now()
        done = self._core.now() >= operation.done_at
        return Reply([_written(operation, done=done)], headers=surface.headers(call), fault=fault)


def _written(operation: _Operation, *, done: bool) -> bytes:
    """Return it as JSON; a response has no `result` wrapper here."""
    body: dict[str, Any] = {
        "id": operation.id,
        "description": "Async GPT Completion",
        "createdAt": timestamp(operation.created_at),
        "createdBy": "ajeemulator000000000",
        "modifiedAt": timestamp(operation.done_at if done else operation.created_at),
        "done": done,
        "metadata": None,
    }
    if operation.cancelled_at is not None:
        body["error"] = {"code": _CANCELLED, "message": "Operation is cancelled", "details": []}
    elif done:
        body["response"] = msgspec.Raw(_RESPONSE_TYPE + response(operation.answer)[1:])
    return msgspec.json.encode(body)

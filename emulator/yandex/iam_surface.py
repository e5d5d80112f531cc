"""IAM tokens (for a signed JWT, a Passport token, on a VM) and asynchronous operations."""

from dataclasses import dataclass

import msgspec

from emulator.core import Call
from emulator.toy_model.answer import Answer
from emulator.wire.replies import Reply
from emulator.yandex.auth import check_jwt
from emulator.yandex.native_format import read_request, response
from emulator.yandex.surface import YandexSurface, timestamp

METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_RESPONSE_TYPE = b'{"@type":"type.googleapis.com/yandex.cloud.ai.foundation_models.v1.CompletionResponse",'


class IamSurface:
    """Adds the token endpoints to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register the routes."""
        self._surface, self._core = surface, surface.core
        surface.routes |= {
            "POST /iam/v1/tokens": ("token", self.create),
            f"GET {METADATA_PATH}": ("token", self.metadata),
        }

    async def create(self, call: Call) -> Reply:
        """`POST /iam/v1/tokens`."""
        fault = call.choose_fault()
        instead = self._surface.instead(call, fault)
        if instead is not None:
            return instead
        body = call.exchange.json()
        if body.get("jwt"):
            try:
                folder: str | None = check_jwt(self._surface.access, str(body["jwt"]), self._core.now())
            except ValueError as reason:
                raise self._surface.refuse(call, 401, str(reason)) from None
        elif body.get("yandexPassportOauthToken") in self._core.settings.yandex_oauth_tokens:
            folder = None
        else:
            raise self._surface.refuse(call, 401, "OAuth token is invalid or expired")
        token, expires_at = self._surface.access.issue(folder)
        found = {"iamToken": token, "expiresAt": timestamp(expires_at, nanoseconds=True)}
        latency_s = 0.0 if fault is None else self._core.latency_s(None, fault)
        return Reply([msgspec.json.encode(found)], fault=fault, latency_s=latency_s)

    async def metadata(self, call: Call) -> Reply:
        """The VM metadata path; only for those who send `Metadata-Flavor: Google`."""
        fault = call.choose_fault()
        instead = self._surface.instead(call, fault)
        if instead is not None:
            return instead
        if call.exchange.header("metadata-flavor") != "Google":
            return Reply([b"Missing Metadata-Flavor:Google header"], 403, b"text/plain")
        token, expires_at = self._surface.access.issue(self._core.settings.yandex_metadata_folder)
        found = {"access_token": token, "expires_in": int(expires_at - self._core.now()), "token_type": "Bearer"}
        return Reply([msgspec.json.encode(found)], fault=fault)


@dataclass(slots=True)
class _Operation:
    answer: Answer
    created_at: float
    done_at: float


class OperationsSurface:
    """Adds deferred generation: `completionAsync`, then `GET /operations/{id}` until it is done."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register the routes."""
        self._surface, self._core = surface, surface.core
        self._operations: dict[str, _Operation] = {}
        surface.routes["POST /foundationModels/v1/completionAsync"] = ("chat", self.submit)
        surface.prefixes.append(("GET /operations/", "operation", self.read))

    async def submit(self, call: Call) -> Reply:
        """Take a request, answer with an Operation."""
        surface, core = self._surface, self._core
        folder = surface.authenticate(call)
        ask = surface.read(call, read_request)
        call.note_ask(ask)
        fault = call.choose_fault(model=ask.model, ask=ask)
        instead = surface.instead(call, fault)
        if instead is not None:
            return instead
        surface.check_model(call, ask, folder)
        now = core.now()
        operation_id = "d7q" + core.new_id().replace("-", "")[-17:]
        if len(self._operations) >= 10_000:
            self._operations.pop(next(iter(self._operations)))
        operation = _Operation(call.compose(ask, fault), now, now + core.settings.yandex_operation_s)
        self._operations[operation_id] = operation
        return Reply([_written(operation_id, operation, done=False)], headers=surface.headers(call), fault=fault)

    async def read(self, call: Call) -> Reply:
        """Return the Operation; its response has no `result` wrapper."""
        surface = self._surface
        surface.authenticate(call)
        fault = call.choose_fault()
        instead = surface.instead(call, fault)
        if instead is not None:
            return instead
        operation_id = call.exchange.request.path.rsplit("/", 1)[1]
        operation = self._operations.get(operation_id)
        if operation is None:
            raise surface.refuse(call, 404, f"Operation {operation_id} not found")
        done = self._core.now() >= operation.done_at
        return Reply([_written(operation_id, operation, done=done)], headers=surface.headers(call), fault=fault)


def _written(operation_id: str, operation: _Operation, *, done: bool) -> bytes:
    body = {
        "id": operation_id,
        "description": "Async GPT Completion",
        "createdAt": timestamp(operation.created_at),
        "createdBy": "ajeemulator000000000",
        "modifiedAt": timestamp(operation.done_at if done else operation.created_at),
        "done": done,
        "metadata": None,
    }
    if not done:
        return msgspec.json.encode(body)
    written = _RESPONSE_TYPE + response(operation.answer)[1:]
    return msgspec.json.encode({**body, "response": msgspec.Raw(written)})

"""Messages to JSON and back, errors to statuses: the provider's REST is made from its gRPC the same way."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import grpc
import msgspec
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from emulator.wire.replies import Received, Reply
from emulator.yandex.grpc.method import Method

STATUS_OF_CODE: Final = {status.value[0]: status for status in grpc.StatusCode}


class _Fields(dict[str, Any]):
    """Fields of a message for a path; what was not sent is empty."""

    def __missing__(self, name: str) -> str:
        return ""


class StatusError(Exception):
    """The call ends with this status."""

    def __init__(self, status: grpc.StatusCode, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.status, self.message = status, message


def received(method: Method, request: Message, metadata: Mapping[str, str]) -> Received:
    """Return the REST request that the message stands for."""
    body = MessageToDict(request)
    return Received(method.verb, method.path.format_map(_Fields(body)), metadata, msgspec.json.encode(body), {})


def messages(method: Method, reply: Reply) -> Iterator[Message]:
    """Yield the messages of a reply, one a frame.

    Raises:
        StatusError: the reply, or a frame, is an error.
    """
    for frame in reply.frames:
        found = _decoded(frame)
        if reply.status >= 400 or ("error" in found and "done" not in found):
            error = found.get("error") or {}
            raise StatusError(STATUS_OF_CODE[error.get("grpcCode", 2)], str(error.get("message", "")))
        yield written(method, found.get("result", found))


def written(method: Method, found: dict[str, Any]) -> Message:
    """Return JSON as a message of the answer."""
    return ParseDict(found, method.response(), ignore_unknown_fields=True)


def _decoded(frame: bytes) -> dict[str, Any]:
    """Return the JSON of a frame; what is none is an error that names no code."""
    try:
        found = msgspec.json.decode(frame)
    except msgspec.DecodeError:
        found = None
    return found if isinstance(found, dict) else {"error": {"message": frame.decode("utf-8", "replace")}}

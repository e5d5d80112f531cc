"""Lines of output and error files, as OpenAI writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from services.router.batches.domain.values import LineResult, Status

NOT_RUN: Final = {
    Status.EXPIRED: ("batch_expired", "This request could not be executed before the completion window expired."),
    Status.CANCELLED: ("batch_cancelled", "The batch was cancelled before this request was executed."),
}
# What JSON leaves as it is, and readers that split text by Unicode's rules (`str.splitlines`) take for ends of lines.
_LINE_ENDS: Final = tuple((char.encode(), f"\\u{ord(char):04x}".encode()) for char in "\u0085\u2028\u2029")


@dataclass(frozen=True, slots=True)
class EndedLine:
    """A line of a batch that has ended; no result: it was never asked."""

    number: int
    custom_id: str
    result: LineResult | None


def result_line(batch_id: str, line: EndedLine, status: Status) -> bytes:
    """Return one line with its line end; `status` says why a line was not run."""
    response, error = None, None
    if line.result is not None:
        # The body is JSON already: it goes in as it was answered.
        head = {"status_code": line.result.http_status, "request_id": line.result.request_id}
        response = json.dumps(head)[:-1].encode() + b', "body": ' + (line.result.body or b"null") + b"}"
    else:
        code, message = NOT_RUN[status]
        error = {"code": code, "message": message}
    return _joined(
        {"id": f"batch_req_{batch_id.removeprefix('batch_')}_{line.number}", "custom_id": line.custom_id},
        response,
        error,
    )


def _joined(head: dict[str, Any], response: bytes | None, error: dict[str, str] | None) -> bytes:
    begin = json.dumps(head, ensure_ascii=False)[:-1].encode()
    told = json.dumps(error, ensure_ascii=False).encode()
    return _one_line(begin + b', "response": ' + (response or b"null") + b', "error": ' + told + b"}") + b"\n"


def _one_line(text: bytes) -> bytes:
    for raw, escaped in _LINE_ENDS:
        text = text.replace(raw, escaped)
    return text

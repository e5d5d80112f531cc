"""What a client of 1.0 would miss in an answer: members, types, contract values, headers, the order of a stream.

More members than recorded are allowed: 1.1 adds some. An absent one, or one of another type, breaks a client.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tests.compat.release_1_0.recorded import Recorded

DONE: Final = "[DONE]"


def at(document: Any, pointer: str) -> Any:
    """Return what a JSON pointer leads to; None where it leads nowhere."""
    for part in pointer.strip("/").split("/"):
        if isinstance(document, Sequence) and not isinstance(document, str):
            document = document[int(part)] if int(part) < len(document) else None
        else:
            document = document.get(part) if isinstance(document, Mapping) else None
    return document


def missing(record: Recorded, status: int, headers: Mapping[str, str], body: Any) -> Iterator[str]:
    """Yield what is not as it was recorded. `headers` by lower-case name."""
    if status != record.status:
        yield f"status {status} instead of {record.status}: {body}"
        return
    for name, value in record.headers.items():
        yield from _header(name, value, headers.get(name.lower()))
    if record.answer is not None:
        yield from _shape("", record.answer, body)
    for pointer in record.same:
        if at(body, pointer) != at(record.answer, pointer):
            yield f"{pointer} is {at(body, pointer)!r} instead of {at(record.answer, pointer)!r}"


def missing_in_stream(record: Recorded, events: Sequence[Any]) -> Iterator[str]:
    """Yield what is not as it was recorded of a stream: its events are the parsed data, and `[DONE]`."""
    if not events or events[-1] != DONE:
        yield "the stream does not end with [DONE]"
    chunks = [event for event in events if event != DONE]
    for number, chunk in enumerate(chunks):
        yield from _shape(f"event {number}", record.events[0], chunk)
    texts = [at(chunk, "/choices/0/delta/content") for chunk in chunks]
    if not "".join(text for text in texts if isinstance(text, str)):
        yield "no event has any content"
    ends = [at(chunk, "/choices/0/finish_reason") for chunk in chunks]
    if [end for end in ends if end] != [at(record.events[-2], "/choices/0/finish_reason")]:
        yield f"finish reasons {ends}: one is wanted, as recorded"


def _header(name: str, recorded: str, given: str | None) -> Iterator[str]:
    if given is None:
        yield f"header {name} is absent"
    elif recorded.isdigit() != given.isdigit() or (not recorded.isdigit() and recorded not in given):
        yield f"header {name} is {given!r}, recorded was {recorded!r}"


def _shape(place: str, recorded: Any, given: Any) -> Iterator[str]:
    if recorded is None:
        return
    if isinstance(recorded, dict) and isinstance(given, dict):
        for name, value in recorded.items():
            if name not in given:
                yield f"{place}/{name} is absent"
            else:
                yield from _shape(f"{place}/{name}", value, given[name])
    elif isinstance(recorded, list) and isinstance(given, list):
        if recorded and not given:
            yield f"{place} is empty"
        for number, each in enumerate(given if recorded else ()):
            yield from _shape(f"{place}/{number}", recorded[0], each)
    elif not _is_of_type(recorded, given):
        yield f"{place} is {given!r}, recorded was {recorded!r}"


def _is_of_type(recorded: Any, given: Any) -> bool:
    if isinstance(recorded, bool) or isinstance(given, bool):
        return isinstance(recorded, bool) and isinstance(given, bool)
    # 1.0 was Python: a client that read 0.5 reads 1, too; one that read 12 may index with it.
    return isinstance(given, (int, float) if isinstance(recorded, float) else type(recorded))

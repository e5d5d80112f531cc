"""Directions that a test writes into the prompt, since a gateway does not forward headers.

`[[tokens:50]]`, `[[chunks:20]]`, `[[gap:10]]` and `[[latency:100]]` (milliseconds), `[[cached:8]]`,
`[[text:exact answer]]`, `[[picture]]` (GigaChat draws one), `[[call:NAME {"key": 1}]]` (several: parallel calls),
`[[fault:cut_mid_stream after=3 on=yandex times=1]]`.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.wire.faults import Fault, parse_fault

_SIMPLE: Final = re.compile(r"\[\[(tokens|chunks|gap|latency|cached|text|fault):(.*?)\]\]", re.DOTALL)
_CALL: Final = re.compile(r"\[\[call:([\w.-]+)\s*")
_DECODER: Final = json.JSONDecoder()


@dataclass(slots=True)
class Directions:
    """What the prompt asks of the emulator itself."""

    tokens: int | None = None
    chunks: int | None = None
    gap_ms: float | None = None
    latency_ms: float | None = None
    cached: int = 0
    text: str | None = None
    fault: Fault | None = None
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


NOTHING: Final = Directions()


def read_directions(prompt: str) -> Directions:
    """Return the directions in the prompt.

    Raises:
        ValueError: a number or a fault that can't be read.
    """
    if "[[" not in prompt:
        return NOTHING
    found = Directions()
    for name, value in _SIMPLE.findall(prompt):
        _set(found, name, value.strip())
    for match in _CALL.finditer(prompt):
        found.calls.append((match.group(1), _arguments_at(prompt, match.end())))
    return found


def _set(found: Directions, name: str, value: str) -> None:
    if name == "tokens":
        found.tokens = max(0, int(value))
    elif name == "chunks":
        found.chunks = max(1, int(value))
    elif name == "gap":
        found.gap_ms = float(value)
    elif name == "latency":
        found.latency_ms = float(value)
    elif name == "cached":
        found.cached = int(value)
    elif name == "text":
        found.text = value
    else:
        found.fault = parse_fault(value)


def _arguments_at(prompt: str, position: int) -> dict[str, Any]:
    """Read the JSON object that starts here; it may itself hold `]]`."""
    if prompt[position : position + 1] != "{":
        return {}
    value, _ = _DECODER.raw_decode(prompt, position)
    return value if isinstance(value, dict) else {}

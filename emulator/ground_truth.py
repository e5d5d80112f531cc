"""What really happened: one entry a provider call, the oracle of every billing test."""

import hashlib
from collections import deque
from typing import Any

import msgspec


class Entry(msgspec.Struct):
    """One call as the provider saw it. Texts are kept as digests and sizes unless bodies are switched on."""

    id: int
    provider: str
    operation: str
    path: str
    started_at: float
    request_sha256: str
    request_bytes: int
    request_id: str | None = None
    session_id: str | None = None
    credential_sha256: str | None = None
    traceparent: str | None = None
    model: str = ""
    stream: bool = False
    messages: int = 0
    prompt_chars: int = 0
    tools: int = 0
    sampling: dict[str, Any] = {}
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    delivered_tokens: int = 0
    status: int = 0
    fault: str | None = None
    ended: str = "open"  # complete | refused | fault | client_gone
    ended_at: float | None = None
    body: str | None = None


class GroundTruth:
    """The log; bounded, oldest entries fall out."""

    def __init__(self, limit: int, *, keep_bodies: bool) -> None:
        """Keep at most `limit` entries."""
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._keep_bodies = keep_bodies
        self._next_id = 1

    def open(self, provider: str, operation: str, path: str, *, body: bytes, started_at: float) -> Entry:
        """Start the entry of a call that has just arrived."""
        entry = Entry(self._next_id, provider, operation, path, started_at, hashlib.sha256(body).hexdigest(), len(body))
        if self._keep_bodies:
            entry.body = body.decode("utf-8", "replace")
        self._next_id += 1
        self._entries.append(entry)
        return entry

    def since(self, after_id: int) -> list[Entry]:
        """Return the entries younger than the given one."""
        return [entry for entry in self._entries if entry.id > after_id]

    def clear(self) -> None:
        """Forget everything; ids go on."""
        self._entries.clear()

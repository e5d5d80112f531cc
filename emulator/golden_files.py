"""The recorded payloads in `golden/`, and the queue of those to be replayed."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from emulator.wire.replies import Reply

GOLDEN_DIR: Final = Path(__file__).parent / "golden"
# These describe one connection or one day; the emulator writes its own.
_NOT_REPLAYED: Final = frozenset({"content-type", "content-length", "transfer-encoding", "date", "connection"})


class NoSuchGoldenError(LookupError):
    """No golden file of this name, or it holds no response."""


@dataclass(frozen=True, slots=True)
class Golden:
    """A recorded response."""

    name: str
    status: int
    content_type: bytes
    headers: bytes
    body: bytes
    streamed: bool
    cut: bool

    @property
    def provider(self) -> str:
        """Return whose response it is."""
        return self.name.split("/", 1)[0]

    @property
    def is_token_answer(self) -> bool:
        """Tell whether it answers a token call (OAuth, IAM)."""
        return self.name.split("/", 1)[1].startswith(("oauth", "error_oauth", "token_response", "iam_"))

    def reply(self) -> Reply:
        """Return it as a reply; the body is the recorded one byte for byte."""
        frames = _frames(self.body) if self.streamed else [self.body]
        return Reply(frames, self.status, self.content_type, self.headers, streamed=self.streamed, abrupt_end=self.cut)


def golden_names() -> list[str]:
    """Return the names of all golden files."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in GOLDEN_DIR.glob("*/*.json"))


def load_document(name: str) -> dict[str, Any]:
    """Return the whole golden document.

    Raises:
        NoSuchGoldenError: no such file.
    """
    if name not in golden_names():
        raise NoSuchGoldenError(name)
    document: dict[str, Any] = msgspec.json.decode((GOLDEN_DIR / f"{name}.json").read_bytes())
    return document


@lru_cache(maxsize=256)
def load(name: str) -> Golden:
    """Return the recorded response of that name.

    Raises:
        NoSuchGoldenError: no such file, or it is a request.
    """
    response = load_document(name).get("response")
    if response is None:
        raise NoSuchGoldenError(f"{name} holds no response")
    raw_file = response.get("raw_file")
    if raw_file:
        body = (GOLDEN_DIR / name.split("/")[0] / raw_file).read_bytes()
    else:
        body = response["body_raw"].encode() if "body_raw" in response else msgspec.json.encode(response["body"])
    headers = response.get("headers", {})
    lines = [f"{key}: {value}\r\n" for key, value in headers.items() if key.lower() not in _NOT_REPLAYED]
    content_type = headers.get("content-type", "application/json").encode()
    return Golden(
        name, response["status"], content_type, "".join(lines).encode(), body, bool(raw_file), name.endswith("_cut")
    )


def _frames(body: bytes) -> list[bytes]:
    """Part a recorded stream at its own event borders."""
    border = b"\n\n" if body.startswith((b"data:", b"event:")) else b"\n"
    parts = body.split(border)
    frames = [part + border for part in parts[:-1]]
    return [*frames, parts[-1]] if parts[-1] else frames


class GoldenFiles:
    """The replay queues, one for each provider and kind of call."""

    def __init__(self) -> None:
        """Start with nothing to replay."""
        self._queues: dict[tuple[str, bool], list[Golden]] = {}

    def replay(self, name: str) -> None:
        """Answer the next fitting call with this payload.

        Raises:
            NoSuchGoldenError: no such payload.
        """
        golden = load(name)
        self._queues.setdefault((golden.provider, golden.is_token_answer), []).append(golden)

    def take(self, provider: str, *, token_call: bool) -> str | None:
        """Return the name of the payload that waits for this call, if any."""
        queue = self._queues.get((provider, token_call)) if self._queues else None
        return queue.pop(0).name if queue else None

    def clear(self) -> None:
        """Forget what waits."""
        self._queues.clear()

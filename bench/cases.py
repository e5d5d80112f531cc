"""The requests that are measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

CONNECTIONS: Final = 64
PROMPT: Final = "Перечисли стоянки у реки и скажи, какая ближе к дороге. " * 4


@dataclass(frozen=True, slots=True)
class Case:
    """One model, streamed or not."""

    name: str
    model: str
    stream: bool

    def body(self) -> bytes:
        """Return the request's JSON."""
        messages = [
            {"role": "system", "content": "Ты помогаешь диспетчеру."},
            *({"role": "user" if i % 2 == 0 else "assistant", "content": PROMPT} for i in range(6)),
            {"role": "user", "content": PROMPT + "[[chunks:20]]"},
        ]
        fields = {"model": self.model, "messages": messages, "max_tokens": 200, "stream": self.stream}
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


PLAIN: Final = Case("plain, minimal upstream", "bench-model", False)
STREAM: Final = Case("stream of 20, minimal upstream", "bench-model", True)
CASES: Final = (
    PLAIN,
    STREAM,
    Case("plain, YandexGPT emulator", "yandexgpt:latest", False),
    Case("stream of 20, YandexGPT emulator", "yandexgpt:latest", True),
    Case("plain, GigaChat emulator", "gigachat-pro", False),
    Case("stream of 20, GigaChat emulator", "gigachat-pro", True),
)

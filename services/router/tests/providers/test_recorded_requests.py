"""The providers' own sample requests, made by our words."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from emulator.golden_files import load_document
from services.router.domain.completion import (
    Message,
    Role,
    Tool,
    ToolChoice,
)
from services.router.providers.json_body import encode_body
from services.router.providers.yandexgpt.request import native_body
from services.router.tests.adapters import IDS, ask, model, user
from services.router.tests.providers.bodies import body

SCHEMA = b'{"type":"object","properties":{"camp":{"type":"string"}},"required":["camp"]}'
SAMPLES = {
    "yandex/chat_request": ask(
        messages=[
            Message(Role.SYSTEM, "Ты помогаешь диспетчеру. Отвечай коротко."),
            user("Сколько стоянок оленеводов на карте района и где ближайшая к реке?"),
        ],
        temperature=0.3,
        max_tokens=800,
        reasoning_effort="none",
    ),
    "yandex/chat_request_tools": ask(
        "Далеко ли от северной стоянки до реки?",
        temperature=0,
        max_tokens=500,
        tools=[
            Tool(
                "camp_distance",
                "Расстояние от стоянки до реки в метрах",
                (
                    '{"type":"object","properties":{"camp":{"type":"string","description":"название стоянки"}},'
                    '"required":["camp"]}'
                ).encode(),
                True,
            )
        ],
        parallel_tool_calls=False,
        tool_choice=ToolChoice("auto"),
    ),
    "gigachat/chat_request": ask(
        messages=[
            Message(Role.SYSTEM, "Ты помогаешь диспетчеру. Отвечай коротко."),
            user("Сколько стоянок оленеводов на карте района и где ближайшая к реке?"),
        ],
        temperature=0.87,
        top_p=0.47,
        max_tokens=512,
        other_json={"repetition_penalty": b"1.07", "update_interval": b"0"},
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_recorded_requests_are_what_we_send(name: str) -> None:
    """The same request in our words gives the provider's own sample."""
    sample = load_document(name)["request"]["body"]
    dialect = "native" if name.startswith("yandex") else "gigachat"
    prompt = SAMPLES[name]
    if dialect == "native":
        seeing = replace(model("yandexgpt"), features=frozenset({"reasoning"}))
        made = msgspec.json.decode(encode_body(native_body(prompt, seeing, sample["modelUri"], IDS, [], stream=False)))
        made["completionOptions"].setdefault("stream", False)
    else:
        made = {**body(dialect, prompt)[0], "stream": False}

    assert made == sample

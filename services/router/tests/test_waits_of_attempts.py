"""How long an attempt may take, and which of them count: on the emulator, and on a clock of the test's."""

from __future__ import annotations

import pytest
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from services.router.tests.adapters import PATIENT
from services.router.tests.running_router import prompt, router, stream, text_of


@pytest.mark.parametrize("asked", ["json_object", "required"])
async def test_an_answer_that_is_checked_before_it_is_streamed_is_not_late_for_coming_whole(
    emulator: RunningEmulator, asked: str
) -> None:
    """GigaChat has no parameter for either, so the adapter reads it all first: 30 s were the end of long ones."""
    await emulator.control.fail("latency", operation="chat", times=-1, ms=300)
    wish = {
        "json_object": pb.Prompt(response_format=pb.ResponseFormat(type="json_object")),
        "required": pb.Prompt(
            tools=[pb.Tool(name=name, parameters_json=b'{"type":"object","properties":{}}') for name in ("one", "two")],
            tool_choice=pb.ToolChoice(mode="required"),
        ),
    }[asked]
    said = '[[text:{"a":1}]]' if asked == "json_object" else "[[call:one {}]]"
    wish.MergeFrom(prompt("gigachat", said))

    async with router(emulator, http=PATIENT.model_copy(update={"first_token_s": 0.1})) as stub:
        parts = await stream(stub, wish)

    assert text_of(parts) == ('{"a":1}' if asked == "json_object" else "")
    assert parts[-1].HasField("end")

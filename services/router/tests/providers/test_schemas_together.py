"""What all schemas of one request may cost together."""

from __future__ import annotations

import json
from typing import Any

from servicekit.errors import ErrorReason
from services.router.domain.completion import Tool
from services.router.providers.gigachat.schemas.effort import MOST_STEPS
from services.router.providers.gigachat.schemas.reducer import MOST_STEPS_TOGETHER
from services.router.tests.adapters import ask
from services.router.tests.providers.bodies import body, refused


def doubling(levels: int) -> dict[str, Any]:
    """Return a schema of some hundred bytes that is two to the power of `levels` when it is written out."""
    twice = [{name: {"$ref": f"#/$defs/a{at + 1}"} for name in "pq"} for at in range(levels)]
    defs = {f"a{at}": {"type": "object", "properties": each} for at, each in enumerate(twice)}
    last = {f"a{levels}": {"type": "string"}}
    return {"type": "object", "properties": {"x": {"$ref": "#/$defs/a0"}}, "$defs": {**defs, **last}}


def tools_of(schema: dict[str, Any], count: int) -> list[Tool]:
    return [Tool(f"f{at}", parameters_json=json.dumps(schema).encode()) for at in range(count)]


def test_many_tools_take_no_more_steps_than_a_few() -> None:
    """Each was within its bound: 128 of them, 120 KB, held up all requests of a router for nine seconds."""
    reason, param = refused("gigachat", ask(tools=tools_of(doubling(8), 128)))

    assert reason is ErrorReason.INVALID_PARAMETERS
    assert int(str(param).removeprefix("tools[").partition("]")[0]) <= MOST_STEPS_TOGETHER // 1000


def test_many_plain_tools_are_written_out() -> None:
    """As many as a body can hold: their elements are counted at the edge."""
    plain = {"type": "object", "properties": {f"p{at}": {"type": "string"} for at in range(70)}}

    made, _ = body("gigachat", ask(tools=tools_of(plain, 128)))

    assert len(made["functions"]) == 128
    assert MOST_STEPS < 128 * 71

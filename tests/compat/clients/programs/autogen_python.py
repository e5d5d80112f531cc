"""AutoGen: its model client, and an assistant that has a tool and reflects on what the tool said."""

import asyncio
import contextlib

from autogen_agentchat.agents import AssistantAgent
from autogen_core import CancellationToken
from autogen_core.models import ModelFamily, UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from pydantic import BaseModel
from steps import (
    ASKS_FOR_TOOL,
    BASE_URL,
    ENDLESS,
    KEY,
    MODEL,
    NARROW_MODEL,
    QUESTION,
    SMALL_KEY,
    TOO_LONG,
    last_place,
    limited,
    main,
    refused,
    see_freed,
    see_taken,
)

ABLE = {"vision": False, "function_calling": True, "json_output": True, "structured_output": True}
# It must be told what a model is that it does not know by name.
INFO = {**ABLE, "family": ModelFamily.UNKNOWN}


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def made(model=MODEL, key=KEY):
    return OpenAIChatCompletionClient(model=model, base_url=BASE_URL, api_key=key, model_info=INFO, max_retries=0)


def asked(text=QUESTION):
    return [UserMessage(content=text, source="user")]


async def chat():
    assert (await made().create(asked())).content


async def stream():
    pieces = [piece async for piece in made().create_stream(asked())]
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == pieces[-1].content


async def tools():
    called = []

    async def weather(city: str) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    agent = AssistantAgent("weather_man", model_client=made(), tools=[weather], reflect_on_tool_use=True)
    assert (await agent.run(task=ASKS_FOR_TOOL)).messages[-1].content
    assert called, "the agent called no tool"


async def structured():
    assert Weather.model_validate_json((await made().create(asked(), json_output=Weather)).content)


def wrong_key():
    refused(lambda: made(key="rz_live_wrong").create(asked()), 401)


def unknown_model():
    refused(lambda: made(model="nothing").create(asked()), 404)


def too_long():
    refused(lambda: made(model=NARROW_MODEL).create(asked(TOO_LONG)), 400)


async def cancel():
    token = CancellationToken()
    with last_place():
        client = made(key=SMALL_KEY)
        answer = client.create_stream(asked(ENDLESS), cancellation_token=token)
        await anext(answer)
        see_taken()
        token.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await anext(answer)
        # The token ends the reading; the connection ends with the client.
        await client.close()
        await asyncio.to_thread(see_freed)


def rate_limit():
    limited(lambda: made(key=SMALL_KEY).create(asked()), "RateLimitError")


main(globals())

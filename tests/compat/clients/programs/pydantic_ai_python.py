"""Pydantic AI: an agent, its tool, its typed output."""

import asyncio

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
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


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def agent(model=MODEL, key=KEY, **settings):
    client = AsyncOpenAI(base_url=BASE_URL, api_key=key, max_retries=0)
    return Agent(OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client)), **settings)


def chat():
    assert agent().run_sync(QUESTION).output


async def stream():
    async with agent().run_stream(QUESTION) as answer:
        assert "".join([text async for text in answer.stream_text(delta=True)])


def tools():
    called = []

    def weather(city: str) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    assert agent(tools=[weather]).run_sync(ASKS_FOR_TOOL).output
    assert called, "the agent called no tool"


def structured():
    assert isinstance(agent(output_type=Weather).run_sync(QUESTION).output, Weather)


def wrong_key():
    refused(lambda: agent(key="rz_live_wrong").run_sync(QUESTION), 401)


def unknown_model():
    refused(lambda: agent(model="nothing").run_sync(QUESTION), 404)


def too_long():
    refused(lambda: agent(model=NARROW_MODEL).run_sync(TOO_LONG), 400)


async def cancel():
    with last_place():
        async with agent(key=SMALL_KEY).run_stream(ENDLESS) as answer:
            await anext(answer.stream_text(delta=True, debounce_by=None))
            see_taken()
            await answer.cancel()
        await asyncio.to_thread(see_freed)


def rate_limit():
    limited(lambda: agent(key=SMALL_KEY).run_sync(QUESTION))


main(globals())

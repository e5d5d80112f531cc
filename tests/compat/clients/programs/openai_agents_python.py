"""OpenAI's Agents SDK over chat completions, or over the Responses API, its default (RAZVILKA_DIALECT)."""

import asyncio
import os

from agents import Agent, OpenAIProvider, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI
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

set_tracing_disabled(True)


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def agent(model=MODEL, key=KEY, **settings):
    client = AsyncOpenAI(base_url=BASE_URL, api_key=key, max_retries=0)
    provider = OpenAIProvider(openai_client=client, use_responses=os.environ["RAZVILKA_DIALECT"] == "responses")
    return Agent(name="Погода", model=provider.get_model(model), **settings)


async def chat():
    assert (await Runner.run(agent(), QUESTION)).final_output


async def stream():
    answer = Runner.run_streamed(agent(), QUESTION)
    assert [event async for event in answer.stream_events()]
    assert answer.final_output


async def tools():
    called = []

    @function_tool
    def weather(city: str) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    assert (await Runner.run(agent(tools=[weather]), ASKS_FOR_TOOL)).final_output
    assert called, "the agent called no tool"


async def structured():
    assert isinstance((await Runner.run(agent(output_type=Weather), QUESTION)).final_output, Weather)


def wrong_key():
    refused(lambda: Runner.run(agent(key="rz_live_wrong"), QUESTION), 401)


def unknown_model():
    refused(lambda: Runner.run(agent(model="nothing"), QUESTION), 404)


def too_long():
    refused(lambda: Runner.run(agent(model=NARROW_MODEL), TOO_LONG), 400)


async def cancel():
    with last_place():
        answer = Runner.run_streamed(agent(key=SMALL_KEY), ENDLESS)
        async for event in answer.stream_events():
            if event.type == "raw_response_event":
                break
        see_taken()
        answer.cancel()
        await asyncio.to_thread(see_freed)


def rate_limit():
    limited(lambda: Runner.run(agent(key=SMALL_KEY), QUESTION), "RateLimitError")


main(globals())

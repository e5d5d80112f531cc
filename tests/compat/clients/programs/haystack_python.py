"""Haystack: its generator and its embedder."""

import asyncio
from typing import Annotated

from haystack.components.agents import Agent
from haystack.components.embedders import OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool
from haystack.utils import Secret
from pydantic import BaseModel
from steps import (
    ASKS_FOR_TOOL,
    BASE_URL,
    EMBEDDINGS,
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


ASKED = [ChatMessage.from_user(QUESTION)]


def made(model=MODEL, key=KEY, **more):
    return OpenAIChatGenerator(
        api_key=Secret.from_token(key), model=model, api_base_url=BASE_URL, max_retries=0, **more
    )


def chat():
    assert made().run(ASKED)["replies"][0].text


def stream():
    pieces = []
    made(streaming_callback=lambda chunk: pieces.append(chunk.content)).run(ASKED)
    assert "".join(pieces)


def tools():
    called = []

    @tool
    def weather(city: Annotated[str, "Город"]) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    agent = Agent(chat_generator=made(), tools=[weather])
    assert agent.run([ChatMessage.from_user(ASKS_FOR_TOOL)])["last_message"].text
    assert called, "the agent called no tool"


def structured():
    answer = made(generation_kwargs={"response_format": Weather}).run(ASKED)
    assert Weather.model_validate_json(answer["replies"][0].text).city


def embeddings():
    vectors = OpenAITextEmbedder(api_key=Secret.from_token(KEY), model=EMBEDDINGS, api_base_url=BASE_URL)
    assert vectors.run("а")["embedding"]


def wrong_key():
    refused(lambda: made(key="rz_live_wrong").run(ASKED), 401)


def unknown_model():
    refused(lambda: made(model="nothing").run(ASKED), 404)


def too_long():
    refused(lambda: made(model=NARROW_MODEL).run([ChatMessage.from_user(TOO_LONG)]), 400)


async def cancel():
    begun = asyncio.Event()

    async def begin(_chunk):
        begun.set()

    with last_place():
        generator = made(key=SMALL_KEY, streaming_callback=begin)
        task = asyncio.create_task(generator.run_async([ChatMessage.from_user(ENDLESS)]))
        await begun.wait()
        see_taken()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(see_freed)


def rate_limit():
    limited(lambda: made(key=SMALL_KEY).run(ASKED), "RateLimitError")


main(globals())

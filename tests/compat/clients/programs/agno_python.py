"""Agno: an agent over an OpenAI-like model."""

import os

os.environ["AGNO_TELEMETRY"] = "false"

from agno.agent import Agent
from agno.knowledge.embedder.openai import OpenAIEmbedder
from agno.models.openai.like import OpenAILike
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
    let_go,
    limited,
    main,
    refused,
)


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def made(model=MODEL, key=KEY):
    return OpenAILike(id=model, base_url=BASE_URL, api_key=key, max_retries=0)


def agent(**settings):
    return Agent(model=made(), telemetry=False, **settings)


def respond(text=QUESTION, **settings):
    # What an agent does with an error is to put it into the run; the model raises it.
    from agno.models.message import Message

    return made(**settings).response([Message(role="user", content=text)])


def chat():
    assert agent().run(QUESTION).content


def stream():
    assert "".join(event.content or "" for event in agent().run(QUESTION, stream=True))


def tools():
    called = []

    def weather(city: str) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    assert agent(tools=[weather]).run(ASKS_FOR_TOOL).content
    assert called, "the agent called no tool"


def structured():
    assert isinstance(agent(output_schema=Weather).run(QUESTION).content, Weather)


def embeddings():
    made = OpenAIEmbedder(id=EMBEDDINGS, base_url=BASE_URL, api_key=KEY, dimensions=1024)
    assert len(made.get_embedding("а")) == 1024


def wrong_key():
    refused(lambda: respond(key="rz_live_wrong"), 401)


def unknown_model():
    refused(lambda: respond(model="nothing"), 404)


def too_long():
    refused(lambda: respond(TOO_LONG, model=NARROW_MODEL), 400)


async def cancel():
    await let_go(Agent(model=made(key=SMALL_KEY), telemetry=False).arun(ENDLESS, stream=True))


def rate_limit():
    limited(lambda: respond(key=SMALL_KEY))


main(globals())

"""Pydantic AI: an agent, its tool, its typed output."""

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from steps import ASKS_FOR_TOOL, BASE_URL, KEY, MODEL, QUESTION, main, refused


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def agent(model=MODEL, key=KEY, **settings):
    return Agent(OpenAIChatModel(model, provider=OpenAIProvider(base_url=BASE_URL, api_key=key)), **settings)


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


main(globals())

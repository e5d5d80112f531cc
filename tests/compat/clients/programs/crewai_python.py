"""CrewAI: its model, and a crew of one agent with a tool."""

import asyncio
import os

os.environ["CREWAI_DISABLE_TELEMETRY"] = os.environ["OTEL_SDK_DISABLED"] = "true"

from crewai import LLM, Agent, Crew, Task
from crewai.events import LLMStreamChunkEvent, crewai_event_bus
from crewai.tools import tool
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
    refused_as,
    see_freed,
    see_taken,
)


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def made(model=MODEL, key=KEY, **more):
    return LLM(model=model, custom_openai=True, base_url=BASE_URL, api_key=key, max_retries=0, **more)


def crew_of(text, **settings):
    agent = Agent(role="Синоптик", goal="Отвечать", backstory="Знает погоду", llm=made(), verbose=False, **settings)
    return Crew(agents=[agent], tasks=[Task(description=text, expected_output="Погода", agent=agent)], verbose=False)


def chat():
    assert made().call(QUESTION)


def stream():
    assert made(stream=True).call(QUESTION)


def tools():
    called = []

    @tool("weather")
    def weather(city: str) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    assert crew_of(ASKS_FOR_TOOL, tools=[weather]).kickoff().raw
    assert called, "the agent called no tool"


def structured():
    found = made(response_format=Weather).call(QUESTION)
    assert isinstance(found, Weather) or Weather.model_validate_json(found)


def wrong_key():
    refused(lambda: made(key="rz_live_wrong").call(QUESTION), 401)


def unknown_model():
    refused(lambda: made(model="nothing").call(QUESTION), 404)


def too_long():
    # The class by which an agent sums its conversation up and goes on.
    refused_as(lambda: made(model=NARROW_MODEL).call(TOO_LONG), "LLMContextLengthExceededError")


async def cancel():
    begun, loop = asyncio.Event(), asyncio.get_running_loop()
    with crewai_event_bus.scoped_handlers(), last_place():

        @crewai_event_bus.on(LLMStreamChunkEvent)
        def begin(_source, _event):
            loop.call_soon_threadsafe(begun.set)

        task = asyncio.create_task(made(key=SMALL_KEY, stream=True).acall(ENDLESS))
        await begun.wait()
        see_taken()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(see_freed)


def rate_limit():
    limited(lambda: made(key=SMALL_KEY).call(QUESTION), "RateLimitError")


main(globals())

"""smolagents: its model for OpenAI's protocol, and an agent that calls a tool."""

import gc

from smolagents import ChatMessage, OpenAIModel, ToolCallingAgent, tool
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

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def made(model=MODEL, key=KEY):
    once = {"client_kwargs": {"max_retries": 0}, "retry": False}
    return OpenAIModel(model_id=model, api_base=BASE_URL, api_key=key, **once)


def asked(text=QUESTION):
    return [ChatMessage(role="user", content=text)]


def chat():
    assert made().generate(asked()).content


def stream():
    assert "".join(piece.content or "" for piece in made().generate_stream(asked()))


def tools():
    called = []

    @tool
    def weather(city: str) -> str:
        """Погода в городе.

        Args:
            city: Город.
        """
        called.append(city)
        return f"{city}: -5"

    # Every turn asks again with the task before it; the emulated model calls what the last message names.
    agent = ToolCallingAgent(tools=[weather], model=made(), max_steps=2, verbosity_level=0)
    agent.run(ASKS_FOR_TOOL)
    assert called, "the agent called no tool"


def structured():
    wanted = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA}}
    assert "city" in made().generate(asked(), response_format=wanted).content


def wrong_key():
    refused(lambda: made(key="rz_live_wrong").generate(asked()), 401)


def unknown_model():
    refused(lambda: made(model="nothing").generate(asked()), 404)


def too_long():
    refused(lambda: made(model=NARROW_MODEL).generate(asked(TOO_LONG)), 400)


def cancel():
    with last_place():
        answer = made(key=SMALL_KEY).generate_stream(asked(ENDLESS))
        next(answer)
        see_taken()
        answer.close()
        del answer
        gc.collect()
        see_freed()


def rate_limit():
    limited(lambda: made(key=SMALL_KEY).generate(asked()), "RateLimitError")


main(globals())

"""LiteLLM as a client."""

import asyncio

import litellm
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
    refused_as,
    see_freed,
    see_taken,
)

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Погода в городе",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


ASKED = [{"role": "user", "content": QUESTION}]


def ask(model=MODEL, key=KEY, **more):
    asked = {"messages": ASKED, "api_base": BASE_URL, "api_key": key, "num_retries": 0, **more}
    return litellm.completion(model=f"openai/{model}", **asked)


def chat():
    assert ask().choices[0].message.content


def stream():
    assert "".join(chunk.choices[0].delta.content or "" for chunk in ask(stream=True))


def tools():
    asked = [{"role": "user", "content": ASKS_FOR_TOOL}]
    turn = ask(messages=asked, tools=[WEATHER]).choices[0].message
    (call,) = turn.tool_calls
    asked = [*ASKED, turn, {"role": "tool", "tool_call_id": call.id, "content": '{"degrees": -5}'}]
    assert ask(messages=asked, tools=[WEATHER]).choices[0].message.content


def structured():
    assert Weather.model_validate_json(ask(response_format=Weather).choices[0].message.content).city


def embeddings():
    made = litellm.embedding(model=f"openai/{EMBEDDINGS}", input=["а", "б"], api_base=BASE_URL, api_key=KEY)
    assert len(made.data) == 2


def wrong_key():
    refused(lambda: ask(key="rz_live_wrong"), 401)


def unknown_model():
    refused(lambda: ask(model="nothing"), 404)


def too_long():
    # The class by which its router turns to a model with a wider window.
    asked = [{"role": "user", "content": TOO_LONG}]
    refused_as(lambda: ask(model=NARROW_MODEL, messages=asked), "ContextWindowExceededError")


async def cancel():
    with last_place():
        asked = {"messages": [{"role": "user", "content": ENDLESS}], "api_base": BASE_URL, "api_key": SMALL_KEY}
        answer = await litellm.acompletion(model=f"openai/{MODEL}", stream=True, num_retries=0, **asked)
        await anext(answer)
        see_taken()
        await answer.aclose()
        await asyncio.to_thread(see_freed)


def rate_limit():
    limited(lambda: ask(key=SMALL_KEY), "RateLimitError")


main(globals())

"""The official client, synchronous and asynchronous."""

import openai
from pydantic import BaseModel
from steps import (
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

client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
small = client.with_options(api_key=SMALL_KEY)
ASKED = [{"role": "user", "content": QUESTION}]
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


def chat():
    answer = client.chat.completions.create(model=MODEL, messages=ASKED)
    assert answer.choices[0].message.content


async def stream():
    async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0) as made:
        answer = await made.chat.completions.create(
            model=MODEL, messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in answer]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.total_tokens


def tools():
    choice = {"type": "function", "function": {"name": "weather"}}
    first = client.chat.completions.create(model=MODEL, messages=ASKED, tools=[WEATHER], tool_choice=choice)
    (call,) = first.choices[0].message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": '{"degrees": -5}'}
    turns = [*ASKED, first.choices[0].message, result]
    assert client.chat.completions.create(model=MODEL, messages=turns, tools=[WEATHER]).choices[0].message.content


def structured():
    answer = client.chat.completions.parse(model=MODEL, messages=ASKED, response_format=Weather)
    assert isinstance(answer.choices[0].message.parsed, Weather)


def embeddings():
    assert len(client.embeddings.create(model=EMBEDDINGS, input=["а", "б"]).data) == 2


def models():
    assert MODEL in [model.id for model in client.models.list()]


def wrong_key():
    refused(lambda: client.with_options(api_key="rz_live_wrong").models.list(), 401)


def unknown_model():
    refused(lambda: client.chat.completions.create(model="nothing", messages=ASKED), 404)


def too_long():
    asked = [{"role": "user", "content": TOO_LONG}]
    refused(lambda: client.chat.completions.create(model=NARROW_MODEL, messages=asked), 400)


def cancel():
    asked = [{"role": "user", "content": ENDLESS}]
    with last_place():
        answer = small.chat.completions.create(model=MODEL, messages=asked, stream=True)
        next(iter(answer))
        see_taken()
        answer.close()
        see_freed()


def rate_limit():
    limited(lambda: small.chat.completions.create(model=MODEL, messages=ASKED), "RateLimitError")


main(globals())

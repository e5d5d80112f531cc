"""Anthropic's own client over its Messages API."""

import os

import anthropic
from pydantic import BaseModel
from steps import (
    ASKS_FOR_TOOL,
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


def client_of(key=KEY):
    return anthropic.Anthropic(base_url=os.environ["RAZVILKA_URL"], api_key=key, max_retries=0)


def said(text):
    return [{"role": "user", "content": text}]


def ask(text=QUESTION, model=MODEL, key=KEY, **more):
    return client_of(key).messages.create(model=model, max_tokens=200, messages=said(text), **more)


def chat():
    assert ask().content[0].text


def stream():
    with client_of().messages.stream(model=MODEL, max_tokens=200, messages=said(QUESTION)) as answer:
        assert "".join(answer.text_stream) == answer.get_final_message().content[0].text != ""


def tools():
    called = []

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    runner = client_of().beta.messages.tool_runner(
        model=MODEL, max_tokens=200, messages=said(ASKS_FOR_TOOL), tools=[weather]
    )
    assert runner.until_done().content[0].text
    assert called, "the model called no tool"


def structured():
    answer = client_of().messages.parse(model=MODEL, max_tokens=200, messages=said(QUESTION), output_format=Weather)
    assert isinstance(answer.parsed_output, Weather)


def models():
    assert MODEL in [model.id for model in client_of().models.list(limit=5)]


def wrong_key():
    refused(lambda: ask(key="rz_live_wrong"), 401)


def unknown_model():
    refused(lambda: ask(model="nothing"), 404)


def too_long():
    refused(lambda: ask(TOO_LONG, NARROW_MODEL), 400)


def cancel():
    with last_place():
        with client_of(SMALL_KEY).messages.stream(model=MODEL, max_tokens=1000, messages=said(ENDLESS)) as answer:
            next(iter(answer.text_stream))
            see_taken()
        see_freed()


def rate_limit():
    limited(lambda: ask(key=SMALL_KEY), "RateLimitError")


main(globals())

"""Magentic: functions whose body is a model."""

from magentic import AsyncStreamedStr, OpenaiChatModel, StreamedStr, prompt, prompt_chain
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
    let_go,
    main,
    refused,
    waited_out,
)


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def made(model=MODEL, key=KEY):
    return OpenaiChatModel(model, base_url=BASE_URL, api_key=key)


def asker(model=None):
    @prompt("{text}", model=model or made())
    def ask(text: str) -> str: ...

    return ask


def chat():
    assert asker()(QUESTION)


def stream():
    @prompt("{text}", model=made())
    def ask(text: str) -> StreamedStr: ...

    assert "".join(ask(QUESTION))


def tools():
    called = []

    def weather(city: str) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    @prompt_chain("{text}", functions=[weather], model=made())
    def ask(text: str) -> str: ...

    assert ask(ASKS_FOR_TOOL)
    assert called, "the model called no tool"


def structured():
    @prompt("{text}", model=made())
    def ask(text: str) -> Weather: ...

    assert isinstance(ask(QUESTION), Weather)


def wrong_key():
    refused(lambda: asker(made(key="rz_live_wrong"))(QUESTION), 401)


def unknown_model():
    refused(lambda: asker(made(model="nothing"))(QUESTION), 404)


def too_long():
    refused(lambda: asker(made(model=NARROW_MODEL))(TOO_LONG), 400)


async def cancel():
    @prompt("{text}", model=made(key=SMALL_KEY))
    async def ask(text: str) -> AsyncStreamedStr: ...

    await let_go(aiter(await ask(ENDLESS)))


def rate_limit():
    # It leaves the official client its two tries more, so that the limit is waited for, not felt.
    waited_out(lambda: asker(made(key=SMALL_KEY))(QUESTION))


main(globals())

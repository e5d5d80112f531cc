"""Mirascope: calls, tools and formats over its OpenAI provider, chat completions."""

from mirascope import llm
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

llm.register_provider("openai:completions", scope="ours/", base_url=BASE_URL, api_key=KEY)
llm.register_provider("openai:completions", scope="wrong/", base_url=BASE_URL, api_key="rz_live_wrong")
llm.register_provider("openai:completions", scope="small/", base_url=BASE_URL, api_key=SMALL_KEY)


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def made(name=MODEL, scope="ours"):
    return llm.Model(f"{scope}/{name}")


def chat():
    assert made().call(QUESTION).text()


def stream():
    assert "".join(made().stream(QUESTION).text_stream())


def tools():
    called = []

    @llm.tool
    def weather(city: str) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    answer = made().call(ASKS_FOR_TOOL, tools=[weather])
    assert answer.resume(answer.execute_tools()).text()
    assert called, "the model called no tool"


def structured():
    assert isinstance(made().call(QUESTION, format=Weather).parse(), Weather)


def wrong_key():
    refused(lambda: made(scope="wrong").call(QUESTION), 401)


def unknown_model():
    refused(lambda: made("nothing").call(QUESTION), 404)


def too_long():
    refused(lambda: made(NARROW_MODEL).call(TOO_LONG), 400)


async def cancel():
    answer = await made(scope="small").stream_async(ENDLESS)
    await let_go(answer.text_stream())


def rate_limit():
    # It leaves the official client its two tries more, so that the limit is waited for, not felt.
    waited_out(lambda: made(scope="small").call(QUESTION))


main(globals())

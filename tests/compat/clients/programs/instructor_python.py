"""Instructor: structured output, by tools and by a schema."""

import instructor
import openai
from pydantic import BaseModel
from steps import (
    BASE_URL,
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

ASKED = [{"role": "user", "content": QUESTION}]


# A minute and a half for an object of thirty characters, letter by letter.
SLOW = QUESTION + " [[chunks:400]] [[gap:3000]]"


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def client_of(key=KEY, mode=instructor.Mode.TOOLS):
    return instructor.from_openai(openai.OpenAI(base_url=BASE_URL, api_key=key, max_retries=0), mode=mode)


def ask(model=MODEL, messages=ASKED, **more):
    asked = {"messages": messages, "response_model": Weather, "max_retries": 0}
    return client_of(**more).chat.completions.create(model=model, **asked)


def stream():
    parts = client_of().chat.completions.create_partial(model=MODEL, messages=ASKED, response_model=Weather)
    assert [part.city for part in parts][-1]


def tools():
    assert isinstance(ask(), Weather)


def structured():
    assert isinstance(ask(mode=instructor.Mode.JSON_SCHEMA), Weather)


def wrong_key():
    refused(lambda: ask(key="rz_live_wrong"), 401)


def unknown_model():
    refused(lambda: ask(model="nothing"), 404)


def too_long():
    refused(lambda: ask(NARROW_MODEL, [{"role": "user", "content": TOO_LONG}]), 400)


async def cancel():
    async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=SMALL_KEY, max_retries=0) as client:
        made = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
        asked = {"messages": [{"role": "user", "content": SLOW}], "response_model": Weather}
        await let_go(made.chat.completions.create_partial(model=MODEL, **asked))


def rate_limit():
    limited(lambda: ask(key=SMALL_KEY))


main(globals())

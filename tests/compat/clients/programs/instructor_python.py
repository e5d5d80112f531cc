"""Instructor: structured output, by tools and by a schema."""

import instructor
import openai
from pydantic import BaseModel
from steps import BASE_URL, KEY, MODEL, QUESTION, main

ASKED = [{"role": "user", "content": QUESTION}]


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def ask(mode):
    client = instructor.from_openai(openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0), mode=mode)
    made = client.chat.completions.create(model=MODEL, messages=ASKED, response_model=Weather, max_retries=0)
    assert isinstance(made, Weather)


def tools():
    ask(instructor.Mode.TOOLS)


def structured():
    ask(instructor.Mode.JSON_SCHEMA)


main(globals())

"""LangChain: chat model, an agent with a tool, structured output, embeddings."""

import asyncio

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
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


def made(model=MODEL, key=KEY):
    return ChatOpenAI(base_url=BASE_URL, api_key=key, model=model, max_retries=0)


class Weather(BaseModel):
    """An answer with a shape."""

    city: str
    degrees: int


def weather(city: str) -> str:
    """Погода в городе."""
    return f"{city}: -5"


def chat():
    assert made().invoke(QUESTION).content


def stream():
    assert "".join(chunk.content for chunk in made().stream(QUESTION))


def tools():
    agent = create_agent(made(), tools=[weather])
    turns = agent.invoke({"messages": [{"role": "user", "content": ASKS_FOR_TOOL}]})["messages"]
    assert turns[-1].content
    assert any(turn.type == "tool" for turn in turns), "the agent called no tool"


def structured():
    assert isinstance(made().with_structured_output(Weather).invoke(QUESTION), Weather)


def embeddings():
    vectors = OpenAIEmbeddings(base_url=BASE_URL, api_key=KEY, model=EMBEDDINGS, check_embedding_ctx_length=False)
    assert len(vectors.embed_documents(["а", "б"])) == 2


def wrong_key():
    refused(lambda: made(key="rz_live_wrong").invoke(QUESTION), 401)


def unknown_model():
    refused(lambda: made(model="nothing").invoke(QUESTION), 404)


def too_long():
    # The class by which its middleware knows that a conversation must be trimmed.
    refused_as(lambda: made(model=NARROW_MODEL).invoke(TOO_LONG), "ContextOverflowError")


async def cancel():
    with last_place():
        answer = made(key=SMALL_KEY).astream(ENDLESS)
        await anext(answer)
        see_taken()
        await answer.aclose()
        await asyncio.to_thread(see_freed)


def rate_limit():
    limited(lambda: made(key=SMALL_KEY).invoke(QUESTION), "RateLimitError")


main(globals())

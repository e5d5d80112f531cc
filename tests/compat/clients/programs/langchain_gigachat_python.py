"""langchain-gigachat: the GigaChat client with its base URL at ours and a key of ours as its access token.

It reads GigaChat's own dialect: arguments that are objects, a text beside every call, usage beside every vector. We
answer in OpenAI's, so tools, structured output and embeddings are for ChatOpenAI.
"""

from langchain_gigachat import GigaChat, GigaChatEmbeddings
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
    let_go,
    limited,
    main,
    refused,
)


class Weather(BaseModel):
    """Погода в городе."""

    city: str
    degrees: int


def made(model=MODEL, key=KEY, **more):
    return GigaChat(base_url=BASE_URL, access_token=key, model=model, **more)


def weather(city: str) -> str:
    """Погода в городе."""
    return f"{city}: -5"


def chat():
    assert made().invoke(QUESTION).content


def stream():
    # Without `streaming` it asks for the whole answer even here.
    pieces = [chunk.content for chunk in made(streaming=True).stream(QUESTION)]
    assert len(pieces) > 1
    assert "".join(pieces)


def tools():
    assert made().bind_tools([weather]).invoke(ASKS_FOR_TOOL).tool_calls


def structured():
    assert isinstance(made().with_structured_output(Weather).invoke(QUESTION), Weather)


def embeddings():
    vectors = GigaChatEmbeddings(base_url=BASE_URL, access_token=KEY, model=EMBEDDINGS)
    assert len(vectors.embed_documents(["а", "б"])) == 2


def models():
    assert MODEL in [model.id_ for model in made().get_models().data]


def wrong_key():
    refused(lambda: made(key="rz_live_wrong").invoke(QUESTION), 401)


def unknown_model():
    refused(lambda: made(model="nothing").invoke(QUESTION), 404)


def too_long():
    refused(lambda: made(model=NARROW_MODEL).invoke(TOO_LONG), 400)


async def cancel():
    await let_go(made(key=SMALL_KEY, streaming=True).astream(ENDLESS))


def rate_limit():
    limited(lambda: made(key=SMALL_KEY).invoke(QUESTION), "RateLimitError")


main(globals())

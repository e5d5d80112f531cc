"""LlamaIndex by its OpenAI-like classes."""

import gc

from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
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


def made(model=MODEL, key=KEY):
    return OpenAILike(model=model, api_base=BASE_URL, api_key=key, is_chat_model=True, max_retries=0)


def chat():
    assert made().chat([ChatMessage(role="user", content=QUESTION)]).message.content


def stream():
    assert "".join(part.delta or "" for part in made().stream_chat([ChatMessage(role="user", content=QUESTION)]))


def embeddings():
    vectors = OpenAILikeEmbedding(model_name=EMBEDDINGS, api_base=BASE_URL, api_key=KEY)
    assert len(vectors.get_text_embedding_batch(["а", "б"])) == 2


def wrong_key():
    refused(lambda: made(key="rz_live_wrong").chat([ChatMessage(role="user", content=QUESTION)]), 401)


def unknown_model():
    refused(lambda: made(model="nothing").chat([ChatMessage(role="user", content=QUESTION)]), 404)


def too_long():
    refused(lambda: made(model=NARROW_MODEL).chat([ChatMessage(role="user", content=TOO_LONG)]), 400)


def cancel():
    with last_place():
        answer = made(key=SMALL_KEY).stream_chat([ChatMessage(role="user", content=ENDLESS)])
        next(answer)
        see_taken()
        # Nothing of it closes a stream; the connection ends where Python collects what held it.
        answer.close()
        del answer
        gc.collect()
        see_freed()


def rate_limit():
    limited(lambda: made(key=SMALL_KEY).chat([ChatMessage(role="user", content=QUESTION)]), "RateLimitError")


main(globals())

"""Haystack: its generator and its embedder."""

from haystack.components.embedders import OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret
from steps import BASE_URL, EMBEDDINGS, KEY, MODEL, QUESTION, main, refused

ASKED = [ChatMessage.from_user(QUESTION)]


def made(model=MODEL, key=KEY, **more):
    return OpenAIChatGenerator(
        api_key=Secret.from_token(key), model=model, api_base_url=BASE_URL, max_retries=0, **more
    )


def chat():
    assert made().run(ASKED)["replies"][0].text


def stream():
    pieces = []
    made(streaming_callback=lambda chunk: pieces.append(chunk.content)).run(ASKED)
    assert "".join(pieces)


def embeddings():
    vectors = OpenAITextEmbedder(api_key=Secret.from_token(KEY), model=EMBEDDINGS, api_base_url=BASE_URL)
    assert vectors.run("а")["embedding"]


def wrong_key():
    refused(lambda: made(key="rz_live_wrong").run(ASKED), 401)


def unknown_model():
    refused(lambda: made(model="nothing").run(ASKED), 404)


main(globals())

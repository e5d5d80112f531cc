"""LiteLLM as a client."""

import litellm
from steps import BASE_URL, EMBEDDINGS, KEY, MODEL, QUESTION, main, refused

ASKED = [{"role": "user", "content": QUESTION}]


def ask(model=MODEL, key=KEY, **more):
    return litellm.completion(
        model=f"openai/{model}", messages=ASKED, api_base=BASE_URL, api_key=key, num_retries=0, **more
    )


def chat():
    assert ask().choices[0].message.content


def stream():
    assert "".join(chunk.choices[0].delta.content or "" for chunk in ask(stream=True))


def embeddings():
    made = litellm.embedding(model=f"openai/{EMBEDDINGS}", input=["а", "б"], api_base=BASE_URL, api_key=KEY)
    assert len(made.data) == 2


def wrong_key():
    refused(lambda: ask(key="rz_live_wrong"), 401)


def unknown_model():
    refused(lambda: ask(model="nothing"), 404)


main(globals())

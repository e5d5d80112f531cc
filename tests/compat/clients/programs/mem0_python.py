"""Mem0: facts drawn from a conversation (a structured answer), kept and found by embeddings."""

import os
import tempfile

os.environ["MEM0_TELEMETRY"] = "False"
os.environ["MEM0_DIR"] = tempfile.mkdtemp()

from mem0 import Memory
from steps import (
    BASE_URL,
    EMBEDDINGS,
    KEY,
    MODEL,
    NARROW_MODEL,
    QUESTION,
    SMALL_KEY,
    TOO_LONG,
    main,
    refused,
    waited_out,
)

VECTOR_SIZE = 1024


def memory(model=MODEL, key=KEY):
    at = {"openai_base_url": BASE_URL, "api_key": key}
    store = {"path": tempfile.mkdtemp(), "embedding_model_dims": VECTOR_SIZE}
    return Memory.from_config(
        {
            "llm": {"provider": "openai", "config": {**at, "model": model}},
            "embedder": {"provider": "openai", "config": {**at, "model": EMBEDDINGS, "embedding_dims": VECTOR_SIZE}},
            "vector_store": {"provider": "qdrant", "config": store},
        }
    )


def ask(made, text=QUESTION):
    return made.llm.generate_response([{"role": "user", "content": text}])


def chat():
    assert ask(memory())


def structured():
    # On a model with a JSON mode of its own. The emulated one finds no facts, but its answer must be read as JSON.
    said = [{"role": "user", "content": "Меня зовут Анна"}]
    assert "results" in memory(model="yandexgpt:latest").add(said, user_id="anna")


def embeddings():
    made = memory()
    made.add("Анна живёт в Казани", user_id="anna", infer=False)
    found = made.search("Где живёт Анна?", filters={"user_id": "anna"})
    assert found["results"][0]["memory"] == "Анна живёт в Казани"


def wrong_key():
    refused(lambda: ask(memory(key="rz_live_wrong")), 401)


def unknown_model():
    refused(lambda: ask(memory(model="nothing")), 404)


def too_long():
    refused(lambda: ask(memory(model=NARROW_MODEL), TOO_LONG), 400)


def rate_limit():
    # It leaves the official client its two tries more, so that the limit is waited for, not felt.
    waited_out(lambda: ask(memory(key=SMALL_KEY)))


main(globals())

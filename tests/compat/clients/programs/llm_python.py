"""The `llm` library with a model as its `extra-openai-models.yaml` describes one."""

import gc
import json
import os
import tempfile
from pathlib import Path

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
    last_place,
    main,
    refused,
    see_freed,
    see_taken,
    waited_out,
)

FOLDER = Path(tempfile.mkdtemp())
os.environ["LLM_USER_PATH"] = str(FOLDER)
ABLE = {"supports_tools": True, "supports_schema": True}
ENTRIES = [
    {"model_id": name, "model_name": asked, "api_base": BASE_URL, "api_key_name": "razvilka", **ABLE}
    for name, asked in (("known", MODEL), ("unknown", "nothing"), ("narrow", NARROW_MODEL))
]
# JSON is YAML.
(FOLDER / "extra-openai-models.yaml").write_text(json.dumps(ENTRIES))

import llm  # noqa: E402 - it looks for the file when it is imported


def ask(name="known", key=KEY, **more):
    return llm.get_model(name).prompt(QUESTION, key=key, **more)


def chat():
    assert ask(stream=False).text()


def stream():
    assert "".join(ask())


def tools():
    called = []

    def weather(city: str) -> str:
        """Погода в городе."""
        called.append(city)
        return f"{city}: -5"

    assert llm.get_model("known").chain(ASKS_FOR_TOOL, tools=[weather], key=KEY).text()
    assert called, "the model called no tool"


def structured():
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    assert "city" in json.loads(ask(schema=schema, stream=False).text())


def wrong_key():
    refused(lambda: ask(key="rz_live_wrong", stream=False).text(), 401)


def unknown_model():
    refused(lambda: ask("unknown", stream=False).text(), 404)


def too_long():
    refused(lambda: llm.get_model("narrow").prompt(TOO_LONG, key=KEY, stream=False).text(), 400)


def cancel():
    with last_place():
        answer = iter(llm.get_model("known").prompt(ENDLESS, key=SMALL_KEY))
        next(answer)
        see_taken()
        # Nothing of it closes a stream; the connection ends where Python collects what held it.
        del answer
        gc.collect()
        see_freed()


def rate_limit():
    # It leaves the official client its two tries more, so that the limit is waited for, not felt.
    waited_out(lambda: ask(key=SMALL_KEY, stream=False).text())


main(globals())

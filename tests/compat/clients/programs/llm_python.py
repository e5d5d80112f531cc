"""The `llm` library with a model as its `extra-openai-models.yaml` describes one."""

import json
import os
import tempfile
from pathlib import Path

from steps import ASKS_FOR_TOOL, BASE_URL, KEY, MODEL, QUESTION, main, refused

FOLDER = Path(tempfile.mkdtemp())
os.environ["LLM_USER_PATH"] = str(FOLDER)
ABLE = {"supports_tools": True, "supports_schema": True}
ENTRIES = [
    {"model_id": name, "model_name": asked, "api_base": BASE_URL, "api_key_name": "razvilka", **ABLE}
    for name, asked in (("known", MODEL), ("unknown", "nothing"))
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


main(globals())

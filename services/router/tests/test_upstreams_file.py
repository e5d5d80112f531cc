"""Upstreams of an operator's own file: what it may say, and what is refused by its field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from msgspec import structs

from servicekit.clock import SystemClock
from services.router.catalog.build import CatalogError, build_catalog
from services.router.catalog.document import UpstreamEntry
from services.router.catalog.files import CatalogFiles
from services.router.domain.completion import Message, Prompt, Role, ToolCall
from services.router.providers.openai_compatible.provider import OpenAICompatibleProvider
from services.router.providers.table import upstream_of
from services.router.providers.transport.http import open_http
from services.router.tests.adapters import IDS, NOW, PATIENT, ask, call_for, found, price_on

PAGE = Path(__file__).parents[3] / "docs" / "operations" / "providers.md"


def test_an_upstream_may_not_take_a_provider_s_name(tmp_path: Path) -> None:
    """Its models would be asked of somebody else."""
    content = {"upstreams": [{**UPSTREAMS["upstreams"][0], "name": "yandexgpt"}]}
    files = CatalogFiles(None, written(tmp_path, content)).read()

    with pytest.raises(CatalogError, match="two providers are called 'yandexgpt'"):
        build_catalog(files.documents, files.upstreams, NOW)


UPSTREAMS: dict[str, Any] = {
    "upstreams": [
        {
            "name": "local",
            "base_url": "http://127.0.0.1:9999/v1",
            "api_key_env": "LOCAL_KEY",
            "models": [{"id": "toy", "window": 8192, "price": {"input": 0.1, "output": 0.2}}],
        }
    ]
}


TOY: dict[str, Any] = UPSTREAMS["upstreams"][0]["models"][0]
TOY_PRICE: dict[str, Any] = {"valid_from": "2026-01-01", "input": 1, "output": 1}
TOY_TWICE: dict[str, Any] = TOY | {"price": TOY_PRICE, "prices": [TOY_PRICE]}


def written(folder: Path, content: Any) -> Path:
    file = folder / "upstreams.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def test_upstreams_come_from_their_file(tmp_path: Path) -> None:
    """Name, address, key variable, models with window and price."""
    files = CatalogFiles(None, written(tmp_path, UPSTREAMS)).read()

    model = found("toy", build_catalog(files.documents, files.upstreams, NOW))
    assert (model.provider, model.context_length, price_on(model, "2026-11-23")) == ("local", 8192, 100_000)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"upstreams": [{**UPSTREAMS["upstreams"][0], "base_url": "ftp://x"}]}, "base_url"),
        ({"upstreams": [{**UPSTREAMS["upstreams"][0], "models": [{"id": "toy"}]}]}, "window: Field required"),
        ({"upstreams": [{**UPSTREAMS["upstreams"][0], "nmae": "x"}]}, "nmae: Extra inputs"),
        ({"upstream": []}, "upstreams: Field required"),
        (
            {"upstreams": [{**UPSTREAMS["upstreams"][0], "models": [TOY | {"price": {"input": 1e12, "output": 1}}]}]},
            r"models\.0\.price\.input: Input should be less than 10000",
        ),
        (
            {"upstreams": [{**UPSTREAMS["upstreams"][0], "models": [TOY | {"window": 10**19}]}]},
            r"models\.0\.window: Input should be less than",
        ),
        (
            {"upstreams": [{**UPSTREAMS["upstreams"][0], "models": [TOY | {"prices": [TOY_PRICE, TOY_PRICE]}]}]},
            r"models\.0\.prices: .*two entries begin at 2026-01-01T00:00:00\+00:00",
        ),
        (
            {"upstreams": [{**UPSTREAMS["upstreams"][0], "models": [TOY_TWICE]}]},
            r"models\.0: .*two entries begin at 2026-01-01T00:00:00\+00:00",
        ),
        (["x"], "file: Input should be"),
    ],
)
def test_bad_upstream_files_are_refused_by_field(tmp_path: Path, content: Any, complaint: str) -> None:
    """One line for each field that is wrong."""
    with pytest.raises(CatalogError, match=complaint):
        CatalogFiles(None, written(tmp_path, content)).read()


def test_an_upstream_model_without_a_price_is_refused(tmp_path: Path) -> None:
    """Refused, never free."""
    entry = {**UPSTREAMS["upstreams"][0], "models": [{"id": "toy", "window": 10}]}
    files = CatalogFiles(None, written(tmp_path, {"upstreams": [entry]})).read()

    with pytest.raises(CatalogError, match="model 'toy' has no price"):
        build_catalog(files.documents, files.upstreams, NOW)


def test_the_file_of_the_page_is_taken_as_it_is_written(tmp_path: Path) -> None:
    """With each field that the page names."""
    _, section = PAGE.read_text(encoding="utf-8").split("\n## Any OpenAI-compatible server\n")
    section, _ = section.split("\n## ", 1)
    [example] = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    fields = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))

    files = CatalogFiles(None, written(tmp_path, yaml.safe_load(example))).read()
    catalog = build_catalog(files.documents, files.upstreams, NOW)

    assert [found(name, catalog).provider for name in ("qwen3-32b", "gpt-5-mini")] == ["local", "openai"]
    assert fields == UpstreamEntry.model_fields.keys() - {"name", "base_url", "models"}


@pytest.mark.parametrize("named", [None, "max_tokens", "max_completion_tokens"])
async def test_the_length_of_an_answer_is_told_by_the_name_that_its_entry_gives(named: str | None) -> None:
    """OpenAI's reasoning models refuse `max_tokens`, and old servers do not know the other."""
    told = {} if named is None else {"max_tokens_parameter": named}

    body, _ = await heard(told, ask(max_tokens=7))

    assert {name: body[name] for name in body if name.startswith("max_")} == {named or "max_tokens": 7}


@pytest.mark.parametrize("named", ["", "reasoning_content", "reasoning"])
async def test_thoughts_of_earlier_answers_go_back_by_the_name_that_the_entry_gives(named: str) -> None:
    """Models that think between calls want them, others refuse the field; what is left out is told, not refused."""
    called = Message(
        Role.ASSISTANT, tool_calls=[ToolCall("call_1", "weather", "{}")], reasoning_content="надо спросить"
    )
    result = Message(Role.TOOL, "тепло", tool_call_id="call_1")
    prompt = structs.replace(ask(require_parameters=True), messages=[Message(Role.USER, "Погода?"), called, result])

    body, dropped = await heard({"reasoning_parameter": named}, prompt)

    assert [set(message) - {"role", "content", "tool_calls", "tool_call_id"} for message in body["messages"]] == [
        set(),
        {named} - {""},
        set(),
    ]
    assert body["messages"][1].get(named, "надо спросить") == "надо спросить"
    assert dropped == ([] if named else ["messages[].reasoning_content"])


@pytest.mark.parametrize(("length", "kept"), [(0, "call_of_another"), (9, "Abc123xyz")])
async def test_ids_of_tool_calls_have_the_length_that_the_entry_gives(length: int, kept: str) -> None:
    """A call and its result stay together, calls apart, and what fits is as it was."""
    ids = ["call_of_another", "Abc123xyz", "короткие!"]
    calls = [ToolCall(each, "weather", "{}") for each in ids]
    results = [Message(Role.TOOL, each, tool_call_id=each) for each in ids]
    messages = [Message(Role.USER, "Погода?"), Message(Role.ASSISTANT, tool_calls=calls), *results]

    body, _ = await heard({"tool_call_id_length": length}, structs.replace(ask(), messages=messages))

    said = [call["id"] for call in body["messages"][1]["tool_calls"]]
    assert [message["tool_call_id"] for message in body["messages"][2:]] == said
    assert said[ids.index(kept)] == kept
    assert len(set(said)) == len(ids)
    assert not length or all(re.fullmatch("[A-Za-z0-9]{9}", each) for each in said)


async def heard(entry: dict[str, Any], prompt: Prompt) -> tuple[dict[str, Any], list[str]]:
    """Return what an upstream of such an entry is asked, and what it is not told."""
    bodies: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({"choices": [{"message": {"content": "Да"}, "finish_reason": "stop"}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = "http://{}:{}/v1".format(*runner.addresses[0][:2])
        fields = {**UPSTREAMS["upstreams"][0], "base_url": base, "api_key_env": "", **entry}
        upstream, call = upstream_of(UpstreamEntry.model_validate(fields), {}), call_for("upstream")
        async with open_http(PATIENT) as http:
            await OpenAICompatibleProvider(upstream, http, IDS, SystemClock()).complete(prompt, call)
    finally:
        await runner.cleanup()

    [body] = bodies
    return body, call.dropped

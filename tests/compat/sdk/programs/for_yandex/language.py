"""Language models: native and OpenAI-like completions, tokens, embeddings, classification, and the ways in."""

import asyncio
import json

import grpc
import httpx
from pydantic import BaseModel
from yandex_ai_studio_sdk import AIStudio
from yandex_ai_studio_sdk.auth import APIKeyAuth, IAMTokenAuth, MetadataAuth, OAuthTokenAuth
from yandex_ai_studio_sdk.exceptions import AioRpcError, RunError
from yandex_ai_studio_sdk.retry import NoRetryPolicy

from for_yandex.settings import AT, FOLDER, made, settings

PARAMETERS = {"type": "object", "properties": {"camp": {"type": "string"}, "metres": {"type": "integer"}}}


class Camp(BaseModel):
    """An answer with a shape."""

    name: str
    metres: int


async def can_ask_and_read_usage() -> None:
    answer = await made().models.completions("yandexgpt").run("привет")
    assert answer.text
    assert answer.status.name == "FINAL"
    assert answer.usage.total_tokens == answer.usage.input_text_tokens + answer.usage.completion_tokens


async def can_stream() -> None:
    found = [part async for part in made().models.completions("yandexgpt").run_stream("привет [[chunks:4]]")]
    assert len(found) == 5
    assert found[-1].text.startswith(found[0].text)


async def can_send_every_parameter() -> None:
    model = made().models.completions("yandexgpt").configure(temperature=0.5, max_tokens=20, reasoning_mode="disabled")
    history = [{"role": "system", "text": "Кратко."}, {"role": "user", "text": "привет"}]
    answer = await model.run(history)
    assert answer.status.name == "TRUNCATED_FINAL"
    assert answer.usage.completion_tokens == 20
    thinking = await model.configure(reasoning_mode="enabled_hidden", max_tokens=100).run("привет")
    assert thinking.usage.reasoning_tokens


async def can_get_json() -> None:
    model = made().models.completions("yandexgpt")
    assert isinstance(json.loads((await model.configure(response_format="json").run("стоянка")).text), dict)
    assert Camp.model_validate_json((await model.configure(response_format=Camp).run("стоянка")).text)


async def can_call_a_function_and_return_its_result() -> None:
    sdk = made()
    tool = sdk.tools.function(PARAMETERS, name="camp_distance", description="Расстояние")
    model = sdk.models.completions("yandexgpt").configure(
        tools=[tool], tool_choice="required", parallel_tool_calls=False
    )
    first = await model.run("далеко?")
    [call] = first.tool_calls
    assert call.function.name == "camp_distance"
    results = {"tool_results": [{"name": "camp_distance", "content": "400 м"}]}
    second = await model.configure(tool_choice="auto").run(["далеко?", first, results])
    assert second.text


async def can_defer_read_and_cancel() -> None:
    model = made().models.completions("yandexgpt")
    operation = await model.run_deferred("привет")
    assert (await operation.get_status()).is_running
    assert (await operation.wait(poll_interval=0.1)).text == (await model.run("привет")).text
    attached = await model.attach_deferred(operation.id)
    assert (await attached.get_result()).text
    cancelled = await model.run_deferred("привет")
    await cancelled.cancel()
    try:
        await cancelled.wait(poll_interval=0.1)
    except RunError as error:
        assert error.code == 1
    else:
        raise AssertionError("a cancelled operation gave a result")


async def can_tokenize() -> None:
    tokens = await made().models.completions("yandexgpt").tokenize("привет")
    assert "привет" in [token.text for token in tokens]


async def can_embed() -> None:
    sdk = made()
    found = await sdk.models.text_embeddings("doc").run("привет")
    assert (len(found), found.num_tokens > 0) == (256, True)
    wide = await sdk.models.text_embeddings("text-embeddings-v2-query").configure(dimensions=768).run("привет")
    assert len(wide) == 768


async def can_classify() -> None:
    sdk = made()
    few = sdk.models.text_classifiers("yandexgpt").configure(
        task_description="О чём текст?", labels=["лес", "река"], samples=[{"text": "Вода.", "label": "река"}]
    )
    found = await few.run("река")
    assert max(found.predictions, key=lambda label: label.confidence).label == "река"
    tuned = await sdk.models.text_classifiers(f"cls://{FOLDER}/yandexgpt-lite/latest@tamr1").run("река")
    assert tuned.predictions


async def can_use_the_openai_like_api() -> None:
    sdk = made()
    for name in ("yandexgpt", "qwen3.6-35b-a3b", "aliceai-llm"):
        model = sdk.chat.completions(name)
        answer = await model.run("привет [[chunks:4]]")
        parts = [part async for part in model.run_stream("привет [[chunks:4]]")]
        assert answer.text, name
        assert answer.usage.total_tokens, name
        assert [part.text for part in parts if part.text][-1] == answer.text, name


async def can_use_every_parameter_of_the_openai_like_api() -> None:
    sdk = made()
    tool = sdk.tools.function(PARAMETERS, name="camp_distance")
    model = sdk.chat.completions("yandexgpt")
    short = await model.configure(temperature=0.5, max_tokens=5, extra_query={"top_p": 0.5}).run("привет")
    assert short.finish_reason.name == "LENGTH"
    shape = {"name": "camp", "json_schema": Camp.model_json_schema()}
    assert Camp.model_validate_json((await model.configure(response_format=shape).run("стоянка")).text)
    called = await model.configure(tools=[tool], tool_choice=tool).run("далеко?")
    assert called.tool_calls[0].function.name == "camp_distance"
    parts = [part async for part in model.configure(tools=[tool], tool_choice=tool).run_stream("далеко?")]
    assert parts[-1].tool_calls
    thinking = await sdk.chat.completions("qwen3.6-35b-a3b").configure(reasoning_mode="low").run("привет")
    assert thinking.reasoning_text


async def can_list_models_and_embed_by_the_openai_like_api() -> None:
    sdk = made()
    assert "yandexgpt" in [model.name for model in await sdk.chat.completions.list()]
    assert await sdk.chat.completions.list(filters={"owner": "Alibaba"})
    assert await sdk.chat.text_embeddings.list()
    found = await sdk.chat.text_embeddings("text-search-doc").run("привет")
    assert len(found.embedding) == 256


async def can_log_in_in_every_way() -> None:
    async with httpx.AsyncClient() as http:
        body = {"yandexPassportOauthToken": "y0_emulator"}
        asked = (await http.post(f"{AT['yandex']}/iam/v1/tokens", json=body)).json()
    ways = (OAuthTokenAuth("y0_emulator"), IAMTokenAuth(asked["iamToken"]))
    for auth in ways:
        assert (await made(auth=auth).models.completions("yandexgpt").run("привет")).text
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    machine = MetadataAuth(metadata_url=AT["yandex"] + path)
    assert (await made(auth=machine).models.completions("yandexgpt").run("привет")).text


async def can_be_refused() -> None:
    refused = {
        grpc.StatusCode.UNAUTHENTICATED: made(auth=APIKeyAuth("wrong")).models.completions("yandexgpt"),
        grpc.StatusCode.NOT_FOUND: made().models.completions("yandexgpt-9"),
        grpc.StatusCode.INVALID_ARGUMENT: made(folder_id="other").models.completions("yandexgpt"),
    }
    for status, model in refused.items():
        try:
            await model.run("привет")
        except AioRpcError as error:
            assert error.code() == status, error
        else:
            raise AssertionError(f"{status} was not raised")
    try:
        await made().chat.completions("yandexgpt-9").run("привет")
    except httpx.HTTPStatusError as error:
        assert error.response.status_code == 404
    else:
        raise AssertionError("an unknown model answered")


async def can_wait_for_a_quota() -> None:
    assert (await made().models.completions("yandexgpt").run("привет [[fault:rate_limit times=1]]")).text
    hurried = made(retry_policy=NoRetryPolicy()).models.completions("yandexgpt")
    try:
        await asyncio.gather(*(hurried.run("привет [[latency:500]]") for _ in range(11)))
    except AioRpcError as error:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "gauge quota limit exceed: allowed 10 requests" in str(error)
    else:
        raise AssertionError("eleven sessions at once passed")


def can_do_it_all_in_a_blocking_way() -> None:
    sdk = AIStudio(**settings())
    model = sdk.models.completions("yandexgpt")
    assert model.run("привет").text
    assert list(model.run_stream("привет"))
    assert model.run_deferred("привет").wait(poll_interval=0.1).text
    assert model.tokenize("привет")
    assert len(sdk.models.text_embeddings("query").run("привет")) == 256
    labels = sdk.models.text_classifiers("yandexgpt").configure(task_description="О чём?", labels=["лес", "река"])
    assert labels.run("река").predictions
    assert sdk.chat.completions("yandexgpt").run("привет").text
    assert list(sdk.chat.completions("yandexgpt").run_stream("привет"))
    assert sdk.chat.completions.list()
    assert sdk.chat.text_embeddings("text-search-doc").run("привет")

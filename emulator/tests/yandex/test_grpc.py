"""Yandex over gRPC: the same answers, quotas and refusals as over REST, in the provider's own messages."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.json_format import ParseDict

from emulator.listeners import yandex_surface
from emulator.testing import YANDEX_API_KEY, YANDEX_FOLDER, RunningEmulator, running_emulator
from emulator.tests.conftest import Ask
from emulator.yandex.grpc.method import Method
from emulator.yandex.grpc.methods import METHODS
from emulator.yandex.protos import foundation_models_pb2 as models

KEY = (("authorization", f"Api-Key {YANDEX_API_KEY}"),)
GPT = f"gpt://{YANDEX_FOLDER}/yandexgpt/latest"
BY_NAME = {f"{method.service.rsplit('.', 1)[1]}.{method.name}": method for method in METHODS}


class Client:
    """Calls methods by their short names with bodies as REST has them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def _prepared(self, name: str, body: dict[str, Any]) -> tuple[Any, Any]:
        method = BY_NAME[name]
        kind = self._channel.unary_stream if method.streams else self._channel.unary_unary
        call: Any = kind(
            f"/{method.service}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=method.response.FromString,
        )
        return call, ParseDict(body, method.request())

    async def one(self, name: str, body: dict[str, Any], metadata: Any = KEY) -> Any:
        call, message = self._prepared(name, body)
        return await call(message, metadata=metadata, timeout=60)

    async def all(self, body: dict[str, Any], metadata: Any = KEY) -> list[Any]:
        call, message = self._prepared("TextGenerationService.Completion", body)
        return [found async for found in call(message, metadata=metadata, timeout=60)]


@pytest_asyncio.fixture
async def client(emulator: RunningEmulator) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(emulator.grpc["yandex"]) as channel:
        yield Client(channel)


async def collect(call: Any, found: list[Any]) -> None:
    async for message in call:
        found.append(message)


def asking(text: str, *, stream: bool = False, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "text": text}]
    return {"modelUri": GPT, "completionOptions": {"stream": stream}, "messages": messages, **fields}


async def test_the_answer_is_that_of_rest(client: Client, ask_yandex: Ask, emulator: RunningEmulator) -> None:
    """Text, status and counts; the log has both calls and tells them from each other only by what was sent."""
    _, rest = await ask_yandex("привет")

    [answer] = await client.all(asking("привет"))

    alternative = rest["result"]["alternatives"][0]
    assert answer.alternatives[0].message.text == alternative["message"]["text"]
    assert answer.alternatives[0].status == models.Alternative.ALTERNATIVE_STATUS_FINAL
    assert answer.usage.total_tokens == int(rest["result"]["usage"]["totalTokens"])
    first, second = await emulator.control.ground_truth()
    assert (first["delivered_tokens"], first["path"], first["ended"]) == (
        second["delivered_tokens"],
        second["path"],
        second["ended"],
    )


def test_every_method_is_answered_by_a_route(emulator: RunningEmulator) -> None:
    """A method that listens has a dialogue, too."""
    surface = yandex_surface(emulator.emulator.core, emulator.emulator.providers)

    def is_known(method: Method) -> bool:
        path = re.sub(r"\{\w+\}", "x", method.path)
        return surface.find(method.verb, path) is not None and method.listens == (method.path in surface.dialogues)

    assert [method.name for method in METHODS if not is_known(method)] == []


async def test_a_stream_grows_to_the_whole_text(client: Client) -> None:
    """Texts are cumulative; the last has a final status."""
    found = await client.all(asking("привет [[chunks:4]]", stream=True))

    texts = [message.alternatives[0].message.text for message in found]
    assert len(texts) == 5
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert found[-1].alternatives[0].status == models.Alternative.ALTERNATIVE_STATUS_FINAL


async def test_a_function_is_called_with_numbers_as_doubles(client: Client) -> None:
    """A Struct has no integers."""
    parameters = {"type": "object", "properties": {"metres": {"type": "integer"}}}
    tools = [{"function": {"name": "camp_distance", "parameters": parameters}}]

    [answer] = await client.all(asking("далеко?", tools=tools, toolChoice={"functionName": "camp_distance"}))

    alternative = answer.alternatives[0]
    assert alternative.status == models.Alternative.ALTERNATIVE_STATUS_TOOL_CALLS
    call = alternative.message.tool_call_list.tool_calls[0].function_call
    assert isinstance(call.arguments["metres"], float)


async def test_an_operation_is_read_until_it_is_done(client: Client) -> None:
    """Its response is the message itself, packed."""
    begun = await client.one("TextGenerationAsyncService.Completion", asking("привет"))

    read = await client.one("OperationService.Get", {"operationId": begun.id})

    answer = models.CompletionResponse()
    assert read.done
    assert read.response.Unpack(answer)
    assert answer.alternatives[0].message.text


async def test_an_operation_that_runs_can_be_cancelled() -> None:
    """It is done then, with an error and no response."""
    async with (
        running_emulator(yandex_operation_s=3600) as emulator,
        grpc.aio.insecure_channel(emulator.grpc["yandex"]) as channel,
    ):
        client = Client(channel)
        begun = await client.one("TextGenerationAsyncService.Completion", asking("привет"))
        running = await client.one("OperationService.Get", {"operationId": begun.id})
        await client.one("OperationService.Cancel", {"operationId": begun.id})
        cancelled = await client.one("OperationService.Get", {"operationId": begun.id})

    assert not running.done
    assert cancelled.done
    assert (cancelled.error.code, cancelled.HasField("response")) == (1, False)


async def test_small_methods_answer(client: Client) -> None:
    """Tokens, a vector, labels that add up to one."""
    emb = f"emb://{YANDEX_FOLDER}/text-search-doc/latest"
    labels = {"modelUri": f"cls://{YANDEX_FOLDER}/yandexgpt/latest", "text": "река", "labels": ["лес", "река"]}

    plain = await client.one("TokenizerService.Tokenize", {"modelUri": GPT, "text": "привет"})
    whole = await client.one("TokenizerService.TokenizeCompletion", asking("привет"))
    vector = await client.one("EmbeddingsService.TextEmbedding", {"modelUri": emb, "text": "привет"})
    shares = await client.one("TextClassificationService.FewShotClassify", labels)

    assert [token.text for token in plain.tokens] == ["<s>", "привет"]
    assert len(whole.tokens) > len(plain.tokens)
    assert len(vector.embedding) == 256
    assert {share.label: share.confidence > 0.5 for share in shares.predictions} == {"лес": False, "река": True}
    assert sum(share.confidence for share in shares.predictions) == pytest.approx(1.0)


async def test_only_a_tuned_model_classifies_without_labels(emulator: RunningEmulator, client: Client) -> None:
    """Others are refused."""
    await emulator.control.lift_quotas()
    base = f"cls://{YANDEX_FOLDER}/yandexgpt-lite/latest"

    tuned = await client.one("TextClassificationService.Classify", {"modelUri": f"{base}@tamr1", "text": "река"})

    assert [share.label for share in tuned.predictions] == ["да", "нет"]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.one("TextClassificationService.Classify", {"modelUri": base, "text": "река"})
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_token_for_an_oauth_token_opens_the_door(client: Client) -> None:
    """The token is that of a user, who may name any folder."""
    issued = await client.one("IamTokenService.Create", {"yandexPassportOauthToken": "y0_emulator"}, metadata=())

    found = await client.all(asking("привет"), (("authorization", f"Bearer {issued.iam_token}"),))

    assert issued.expires_at.seconds > 0
    assert found


async def test_the_directory_names_the_address_by_which_one_came(client: Client, emulator: RunningEmulator) -> None:
    """No token is needed, as at the provider."""
    found = await client.one("ApiEndpointService.List", {}, metadata=())
    one = await client.one("ApiEndpointService.Get", {"apiEndpointId": "ai-foundation-models"}, metadata=())

    assert {endpoint.address for endpoint in found.endpoints} == {emulator.grpc["yandex"]}
    assert one in found.endpoints


@pytest.mark.parametrize(
    ("body", "metadata", "status", "words"),
    [
        (asking("x"), (("authorization", "Api-Key wrong"),), grpc.StatusCode.UNAUTHENTICATED, "Unknown api key"),
        (asking(""), KEY, grpc.StatusCode.INVALID_ARGUMENT, "text length is 0"),
        (asking("x", modelUri="gpt://other/yandexgpt"), KEY, grpc.StatusCode.INVALID_ARGUMENT, "Specified folder ID"),
        (asking("x", modelUri=f"gpt://{YANDEX_FOLDER}/no"), KEY, grpc.StatusCode.NOT_FOUND, "Failed to get model"),
        (asking("x [[fault:rate_limit]]"), KEY, grpc.StatusCode.RESOURCE_EXHAUSTED, "gauge quota limit exceed"),
        (asking("x [[fault:status code=503]]"), KEY, grpc.StatusCode.UNAVAILABLE, "Service unavailable"),
    ],
    ids=["key", "text", "folder", "model", "quota", "fault"],
)
async def test_refusals_have_the_status_that_rest_names(
    client: Client, body: dict[str, Any], metadata: Any, status: grpc.StatusCode, words: str
) -> None:
    """Code and message are those of the JSON error."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.all(body, metadata)

    assert refused.value.code() == status
    assert words in (refused.value.details() or "")


@pytest.mark.parametrize(("fault", "status"), [("cut_mid_stream", "UNAVAILABLE"), ("mid_stream_error", "INTERNAL")])
async def test_a_stream_breaks_behind_its_first_messages(
    client: Client, emulator: RunningEmulator, fault: str, status: str
) -> None:
    """What was sent before is there, and counted."""
    call, message = client._prepared(
        "TextGenerationService.Completion",
        asking(f"x [[chunks:5]] [[tokens:10]] [[fault:{fault} after=2]]", stream=True),
    )
    found: list[Any] = []

    with pytest.raises(grpc.aio.AioRpcError) as broken:
        await collect(call(message, metadata=KEY, timeout=60), found)

    assert len(found) == 2
    assert broken.value.code().name == status
    [entry] = await emulator.control.ground_truth()
    assert (entry["ended"], entry["delivered_tokens"]) == ("fault", 4)


async def test_a_client_that_leaves_a_stalled_call_gives_its_place_back(
    client: Client, emulator: RunningEmulator
) -> None:
    """The gauge of sessions clears as over HTTP."""
    await emulator.control.set_limits(yandex_max_sessions=1)
    call, message = client._prepared("TextGenerationService.Completion", asking("x [[fault:stall]]", stream=True))
    stalled = call(message, metadata=KEY, timeout=60)
    await stalled.read()

    stalled.cancel()
    while (await emulator.control.ground_truth())[0]["ended"] == "open":
        await asyncio.sleep(0)

    assert (await emulator.control.ground_truth())[0]["ended"] == "client_gone"
    assert await client.all(asking("x"))


async def test_tls_is_served_with_the_emulators_own_ca(tmp_path: Path) -> None:
    """The twin names itself in the directory."""
    async with running_emulator(tls=True, tls_dir=tmp_path) as emulator:
        trusted = grpc.ssl_channel_credentials((tmp_path / "ca.pem").read_bytes())
        async with grpc.aio.secure_channel(emulator.grpc["yandex_tls"], trusted) as channel:
            found = await Client(channel).one("ApiEndpointService.List", {}, metadata=())

    assert {endpoint.address for endpoint in found.endpoints} == {emulator.grpc["yandex_tls"]}

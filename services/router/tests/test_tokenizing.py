"""CountTokens: what the providers' own tokenizers say, for callers who only want to know."""

from __future__ import annotations

from typing import Any, Final

import pytest
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from emulator.toy_model.tokenizer import count as count_tokens
from servicekit import rpc_client
from servicekit.errors import ErrorReason, ServiceError
from services.router.tests.adapters import LONG_S
from services.router.tests.running_router import Stub, complete, prompt

MODELS: Final = {"yandexgpt": "yandexgpt-5.1", "gigachat": "gigachat-pro"}
each = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


async def counted(stub: Stub, model: str, **question: Any) -> pb.CountTokensResponse:
    request = pb.CountTokensRequest(model=model, **question)
    answer: pb.CountTokensResponse = await rpc_client.unary(stub.rpcs.CountTokens, request, deadline_s=LONG_S)
    return answer


@each
async def test_each_text_is_counted_by_itself_and_equal_ones_once(
    stub: Stub, emulator: RunningEmulator, model: str
) -> None:
    """In their order; what was counted lately is not asked again."""
    texts = ["Привет, мир", "раз два три", "Привет, мир"]

    first = await counted(stub, model, texts=texts)
    again = await counted(stub, model, texts=texts[1:])

    assert list(first.tokens) == [count_tokens(text) for text in texts]
    assert list(again.tokens) == list(first.tokens)[1:]
    assert first.route.model == model
    assert len(await emulator.control.ground_truth(operation="tokenize")) == 2


async def test_a_prompt_is_counted_as_it_is_billed(stub: Stub, emulator: RunningEmulator) -> None:
    """With what the model puts around its messages."""
    asked = prompt("yandexgpt-5.1", "Сколько это будет?")

    found = await counted(stub, asked.model, prompt=asked)
    answer = await complete(stub, asked)

    assert list(found.tokens) == [answer.end.usage.prompt_tokens]


async def test_what_a_tokenizer_does_not_see_is_not_guessed_here(stub: Stub) -> None:
    """GigaChat's counts plain texts: a picture is none, and its answer is no count."""
    parts = [
        pb.ContentPart(type="image_url", json=b'{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}')
    ]
    asked = pb.Prompt(model="gigachat-pro", messages=[pb.Message(role=pb.ROLE_USER, parts=parts)])

    found = await counted(stub, asked.model, prompt=asked)

    assert list(found.tokens) == []
    assert found.route.provider == "gigachat"


async def test_a_model_without_a_tokenizer_has_no_count(stub: Stub) -> None:
    """Yandex's models of the other API."""
    found = await counted(stub, "aliceai-llm-flash", texts=["Привет"])

    assert list(found.tokens) == []


@each
async def test_a_tokenizer_that_fails_is_an_error(stub: Stub, emulator: RunningEmulator, model: str) -> None:
    """Nothing is guessed in its place."""
    await emulator.control.fail("status", operation="tokenize", code=500)

    with pytest.raises(ServiceError) as failed:
        await counted(stub, model, texts=["Привет"])

    assert failed.value.reason is ErrorReason.PROVIDER_ERROR


async def test_only_the_models_of_the_credential_are_asked(stub: Stub, emulator: RunningEmulator) -> None:
    """As for answers."""
    with pytest.raises(ServiceError) as refused:
        await counted(stub, "yandexgpt-5.1", texts=["Привет"], allowed_models=["gigachat-pro"])
    with pytest.raises(ServiceError) as unknown:
        await counted(stub, "nobody", texts=["Привет"])

    assert refused.value.reason is ErrorReason.MODEL_NOT_ALLOWED
    assert unknown.value.reason is ErrorReason.MODEL_NOT_FOUND
    assert await emulator.control.ground_truth(operation="tokenize") == []

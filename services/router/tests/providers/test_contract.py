"""Both adapters over every recorded payload: the normalised result of each is stated here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from emulator.golden_files import golden_names, load_document
from emulator.testing import RunningEmulator
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import Batch, EmbeddingInput, Usage
from services.router.domain.failure import FINAL_DETAIL
from services.router.providers.provider import Provider
from services.router.providers.yandexgpt.iam import credentials_of
from services.router.tests.adapters import Adapters, ask, call_for, listen, model, obtain, said, yandex_settings
from services.router.tests.providers.golden_results import (
    CUTS,
    DIALECT_PROVIDER,
    ERRORS,
    EXPIRED,
    OAUTH_ERRORS,
    STRAY_TOKENS,
    STRAYS,
    STREAMS,
    TOKENS,
    VECTORS,
    WHOLE,
)


def test_every_recorded_response_has_a_stated_result() -> None:
    """A payload that is added without saying what becomes of it fails here."""
    stated = {*WHOLE, *STREAMS, *CUTS, *ERRORS, *EXPIRED, *OAUTH_ERRORS, *TOKENS, *VECTORS, *STRAYS, *STRAY_TOKENS}

    recorded = {name for name in golden_names() if "response" in load_document(name)}

    assert stated == recorded


@pytest.mark.parametrize("name", WHOLE)
async def test_whole_answers_are_normalised(adapters: Adapters, emulator: RunningEmulator, name: str) -> None:
    """Text, finish reason, usage and calls are OpenAI's, whatever the wire said."""
    wanted = WHOLE[name]
    provider, call = adapters.of(DIALECT_PROVIDER[wanted.dialect]), call_for(wanted.dialect)
    await emulator.control.replay(name)

    answer = await provider.complete(ask(), call)

    heard = said(answer)
    assert (heard.pieces, heard.finish, heard.usage) == (wanted.pieces, wanted.finish, wanted.usage)
    assert tuple(heard.calls) == wanted.calls
    assert call.fingerprint == wanted.fingerprint
    ids = [tool_call.id for tool_call in answer.choices[0].tool_calls]
    assert len(set(ids)) == len(ids)
    assert (answer.choices[0].content is None) == bool(wanted.calls)


@pytest.mark.parametrize("name", STREAMS)
async def test_streams_are_normalised(adapters: Adapters, emulator: RunningEmulator, name: str) -> None:
    """Deltas are incremental, usage is the last one said, the finish reason is OpenAI's."""
    wanted = STREAMS[name]
    provider, call = adapters.of(DIALECT_PROVIDER[wanted.dialect]), call_for(wanted.dialect)
    await emulator.control.replay(name)

    heard = await listen(provider, ask(), call)

    assert (heard.pieces, heard.finish, heard.usage) == (wanted.pieces, wanted.finish, wanted.usage)
    assert tuple(heard.calls) == wanted.calls
    assert call.fingerprint == wanted.fingerprint


async def gather(provider: Provider, dialect: str, batches: list[Batch]) -> None:
    """Keep what comes before the failure."""
    async for batch in provider.stream(ask(), call_for(dialect)):
        batches.append(batch)


@pytest.mark.parametrize("name", CUTS)
async def test_cut_streams_give_what_came_and_then_fail(
    adapters: Adapters, emulator: RunningEmulator, name: str
) -> None:
    """Nothing that arrived is lost, and an answer without its end is never taken for whole."""
    dialect, pieces, usage = CUTS[name]
    provider = adapters.of(DIALECT_PROVIDER[dialect])
    await emulator.control.replay(name)
    batches: list[Batch] = []

    with pytest.raises(ServiceError) as caught:
        await gather(provider, dialect, batches)

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR
    assert [delta.content for batch in batches for delta in batch.deltas] == pieces
    assert next((batch.usage for batch in reversed(batches) if batch.usage), None) == usage


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", ERRORS)
async def test_errors_are_classified(adapters: Adapters, emulator: RunningEmulator, name: str, stream: bool) -> None:
    """Each error has one reason, and says whether the same call may work again."""
    wanted = ERRORS[name]
    provider = adapters.of(DIALECT_PROVIDER[wanted.dialect])
    await emulator.control.replay(name)

    with pytest.raises(ServiceError) as caught:
        await obtain(provider, ask(), call_for(wanted.dialect), stream=stream)

    assert caught.value.reason is wanted.reason
    if wanted.reason in (ErrorReason.PROVIDER_ERROR, ErrorReason.PROVIDER_RATE_LIMITED):
        assert (FINAL_DETAIL not in caught.value.details) == wanted.retry
    assert "AQVN" not in caught.value.message
    assert "b1g" not in caught.value.message


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", EXPIRED)
async def test_a_refused_token_is_renewed_once(
    adapters: Adapters, emulator: RunningEmulator, name: str, stream: bool
) -> None:
    """The caller does not notice; a second refusal is an error and not a loop."""
    provider = adapters.gigachat
    await emulator.control.replay(name)

    heard = await obtain(provider, ask("[[text:да]]"), call_for("gigachat"), stream=stream)

    assert heard.text == "да"
    await emulator.control.replay(name)
    await emulator.control.replay(name)
    with pytest.raises(ServiceError) as caught:
        await obtain(provider, ask(), call_for("gigachat"), stream=stream)
    assert caught.value.reason is ErrorReason.PROVIDER_CREDENTIALS


@pytest.mark.parametrize("name", OAUTH_ERRORS)
async def test_errors_of_the_token_service_are_about_our_credentials(
    adapters: Adapters, emulator: RunningEmulator, name: str
) -> None:
    """Its 400 is no fault of the caller's request."""
    await emulator.control.replay(name)

    with pytest.raises(ServiceError) as caught:
        await adapters.gigachat.complete(ask(), call_for("gigachat"))

    assert caught.value.reason is ErrorReason.PROVIDER_CREDENTIALS


def authorised_key() -> dict[str, str]:
    """Return a fresh service account key as `yc` writes it."""
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {"id": "ajekey", "service_account_id": "ajeaccount", "private_key": "PLEASE DO NOT REMOVE\n" + pem.decode()}


@pytest.mark.parametrize("name", [*TOKENS, *STRAY_TOKENS])
async def test_answers_of_the_token_services(
    adapters: Adapters, emulator: RunningEmulator, name: str, tmp_path: Any
) -> None:
    """Theirs give a token; any other shape is the provider's failure."""
    await emulator.control.replay(name)
    if name.startswith("gigachat"):
        token = adapters.gigachat._credentials.header()
    else:
        file = tmp_path / "key.json"
        file.write_text(json.dumps(authorised_key()))
        settings = yandex_settings(
            emulator, api_key="", service_account_key_file=file, iam_url=f"{emulator.yandex_url}/iam/v1/tokens"
        )
        token = credentials_of(settings, adapters.http, SystemClock()).header()

    if name in STRAY_TOKENS:
        with pytest.raises(ServiceError) as caught:
            await token
        assert caught.value.reason is ErrorReason.PROVIDER_ERROR
    else:
        assert "EXAMPLE" in await token


@pytest.mark.parametrize("name", VECTORS)
async def test_embeddings_are_normalised(adapters: Adapters, emulator: RunningEmulator, name: str) -> None:
    """Vectors come in the texts' order; usage is summed."""
    vectors, tokens = VECTORS[name]
    dialect = "native" if name.startswith("yandex") else "gigachat"
    call = call_for(dialect)
    call.model = model("text-search-query" if dialect == "native" else "Embeddings")
    await emulator.control.replay(name)

    made = await adapters.of(DIALECT_PROVIDER[dialect]).embed(EmbeddingInput("", ["x"] * len(vectors)), call)

    assert [list(values) for values in made.values] == vectors
    assert made.usage == Usage(tokens, 0)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", STRAYS)
async def test_foreign_answers_are_failures_of_the_provider(
    adapters: Adapters, emulator: RunningEmulator, name: str, stream: bool
) -> None:
    """A body of another path is neither an empty answer nor a crash."""
    await emulator.control.replay(name)

    with pytest.raises(ServiceError) as caught:
        await obtain(adapters.of(DIALECT_PROVIDER[STRAYS[name]]), ask(), call_for(STRAYS[name]), stream=stream)

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR

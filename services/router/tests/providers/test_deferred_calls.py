"""Calls that a provider answers later: asked once, whoever asks again, and the same answer as at once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from emulator.testing import RunningEmulator, running_emulator
from servicekit.errors import ServiceError
from services.router.domain.completion import Answer, Message, Prompt, Role
from services.router.providers.gigachat.provider import GigaChatProvider
from services.router.providers.provider import ProviderCall
from services.router.providers.yandexgpt.provider import YandexGPTProvider
from services.router.routing.answers import whole
from services.router.tests.adapters import MODELS, Adapters, open_adapters

LINE = "batch_1:7"


def prompt(text: str = "Где стоянка?", **more: Any) -> Prompt:
    return Prompt("yandexgpt:latest", [Message(Role.USER, text)], deferral=LINE, **more)


async def ask(provider: YandexGPTProvider | GigaChatProvider, asked: Prompt, deferral: str = LINE) -> Answer:
    dialect = "native" if provider.name == "yandexgpt" else "gigachat"
    call = ProviderCall(MODELS[dialect], "request", {}, deferral=deferral)
    return await whole(provider, asked, call)


async def submitted(emulator: RunningEmulator) -> list[dict[str, Any]]:
    """Return the calls that the provider took, and would bill."""
    calls = await emulator.control.ground_truth(operation="chat")
    return [call for call in calls if call["path"].endswith("completionAsync") and call["status"] == 200]


async def test_a_deferred_call_is_answered_as_one_that_is_waited_for(
    adapters: Adapters, emulator: RunningEmulator
) -> None:
    """By the deferred method, with the same words and usage."""
    at_once = await adapters.yandex.complete(prompt(), ProviderCall(MODELS["native"], "request", {}))

    later = await ask(adapters.yandex, prompt())

    assert later == at_once
    (taken,) = await submitted(emulator)
    assert later.usage is not None
    assert (taken["prompt_tokens"], taken["completion_tokens"]) == (
        later.usage.prompt_tokens,
        later.usage.completion_tokens,
    )


async def test_it_is_looked_for_until_it_is_done() -> None:
    """Again and again, also when a look fails."""
    async with running_emulator(yandex_operation_s=0.2) as emulator, open_adapters(emulator) as adapters:
        await emulator.control.fail("status", operation="operation", times=2, code=503)

        answer = await ask(adapters.yandex, prompt())

        assert answer.choices[0].content
        assert len(await submitted(emulator)) == 1


async def test_whoever_asks_again_gets_what_the_provider_took_before(
    adapters: Adapters, emulator: RunningEmulator
) -> None:
    """After a router died in the middle nothing is asked, or paid, twice."""
    first = await ask(adapters.yandex, prompt())

    again = await ask(adapters.yandex, prompt())

    assert again == first
    assert len(await submitted(emulator)) == 1


async def test_whoever_dies_while_it_is_taken_does_not_have_it_asked_twice(
    adapters: Adapters, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway that asked was killed before the operation was kept."""
    keep, is_taken, go_on = adapters.deferred.keep, asyncio.Event(), asyncio.Event()

    async def held_up(deferral: str, operation: str) -> None:
        is_taken.set()
        await go_on.wait()
        await keep(deferral, operation)

    monkeypatch.setattr(adapters.deferred, "keep", held_up)
    asking = asyncio.create_task(ask(adapters.yandex, prompt()))
    await is_taken.wait()
    asking.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await ask(adapters.yandex, prompt())

    assert len(await submitted(emulator)) == 1


async def test_what_the_provider_has_lost_is_asked_anew(adapters: Adapters, emulator: RunningEmulator) -> None:
    """It fails once; whoever tries again is not told the same."""
    await adapters.deferred.keep(LINE, "gone")

    with pytest.raises(ServiceError):
        await ask(adapters.yandex, prompt())
    await ask(adapters.yandex, prompt())

    assert len(await submitted(emulator)) == 1


async def test_every_choice_is_a_call_of_its_own(adapters: Adapters, emulator: RunningEmulator) -> None:
    """Each under its own name."""
    answer = await ask(adapters.yandex, prompt(n=3))

    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len(await submitted(emulator)) == 3


async def test_stop_sequences_cut_the_whole_answer(adapters: Adapters) -> None:
    """Nothing is streamed, so it is billed whole."""
    full = (await ask(adapters.yandex, prompt())).choices[0].content or ""
    stop = full.split()[1]

    cut = await ask(adapters.yandex, prompt(stop=(stop,)), deferral="another")

    assert cut.choices[0].content == full[: full.index(stop)]


FIRM: Final = base64.b64encode(b"a firm:its secret").decode()


@asynccontextmanager
async def firm(**settings: Any) -> AsyncIterator[tuple[RunningEmulator, Adapters]]:
    """Yield an emulator that knows a corporate key, and adapters under that key."""
    given = {"credentials": FIRM, "scope": "GIGACHAT_API_CORP"}
    async with running_emulator(**settings) as emulator:
        await emulator.control.add_credential("gigachat", key=FIRM, scope="GIGACHAT_API_CORP")
        async with open_adapters(emulator, gigachat=given) as adapters:
            yield emulator, adapters


async def billed(emulator: RunningEmulator) -> list[dict[str, Any]]:
    """Return the lines that GigaChat answered in batches."""
    calls = await emulator.control.ground_truth(operation="chat")
    return [call for call in calls if call["path"] == "/v1/batches"]


async def test_gigachat_answers_lines_together() -> None:
    """Those that come within a moment are one batch, and each gets its own answer, as if it had been asked alone."""
    async with firm(gigachat_batch_s=0.2) as (emulator, adapters):
        provider, texts = adapters.gigachat, [f"Где стоянка {number}?" for number in range(5)]
        alone = [
            await provider.complete(prompt(text), ProviderCall(MODELS["gigachat"], "request", {})) for text in texts
        ]

        together = await asyncio.gather(*(ask(provider, prompt(text), f"b:{text}") for text in texts))

        assert [answer.choices for answer in together] == [answer.choices for answer in alone]
        assert len(set(adapters.deferred.operations.values())) == 1
        usages = [answer.usage for answer in together if answer.usage is not None]
        lines = await billed(emulator)
        assert sorted(line["prompt_tokens"] for line in lines) == sorted(usage.prompt_tokens for usage in usages)
        assert len(lines) == len(texts)


async def test_a_line_that_gigachat_has_is_not_submitted_again() -> None:
    """Whoever asks after a restart reads the results of the batch that it was in."""
    async with firm() as (emulator, adapters):
        first = await ask(adapters.gigachat, prompt())
        async with open_adapters(emulator, gigachat={"credentials": FIRM, "scope": "GIGACHAT_API_CORP"}) as restarted:
            restarted.deferred.operations.update(adapters.deferred.operations)

            again = await ask(restarted.gigachat, prompt())

        assert again == first
        assert len(await billed(emulator)) == 1


async def test_results_that_cannot_be_fetched_at_once_are_not_asked_for_again() -> None:
    """The batch is done, and billed: a server that stumbles over its file had all lines answered once more."""
    async with firm() as (emulator, adapters):
        await emulator.control.fail("status", operation="files", times=2, code=503)

        answer = await ask(adapters.gigachat, prompt())

        assert answer.choices[0].content
        assert len(await billed(emulator)) == 1


async def test_a_batch_that_gigachat_does_not_take_fails_its_lines() -> None:
    """Each of them hears why; asked again, they are submitted anew."""
    async with firm() as (emulator, adapters):
        await emulator.control.fail("status", operation="batches", code=500)

        failed = await asyncio.gather(
            *(ask(adapters.gigachat, prompt(), name) for name in ("b:1", "b:2")), return_exceptions=True
        )

        one, other = (each for each in failed if isinstance(each, ServiceError))
        # What one line adds of itself, and of what it has used, is no other's.
        assert one is not other
        assert one.details is not other.details
        assert (await ask(adapters.gigachat, prompt(), "b:1")).choices[0].content


async def test_only_corporate_keys_defer(adapters: Adapters) -> None:
    """The others' lines are asked as everything else, at the whole price."""
    assert not adapters.gigachat.traits(MODELS["gigachat"]).defers
    assert (await ask(adapters.gigachat, prompt())).choices[0].content
    assert adapters.deferred.operations == {}

"""Calls that a provider answers later: asked once, whoever asks again, and the same answer as at once."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.testing import RunningEmulator, running_emulator
from servicekit.errors import ServiceError
from services.router.domain.completion import Answer, Message, Prompt, Role
from services.router.providers.provider import ProviderCall
from services.router.providers.yandexgpt.provider import YandexGPTProvider
from services.router.routing.answers import whole
from services.router.tests.adapters import MODELS, Adapters, open_adapters

LINE = "batch_1:7"


def prompt(text: str = "Где стоянка?", **more: Any) -> Prompt:
    return Prompt("yandexgpt:latest", [Message(Role.USER, text)], deferral=LINE, **more)


async def ask(provider: YandexGPTProvider, asked: Prompt, deferral: str = LINE) -> Answer:
    call = ProviderCall(MODELS["native"], "request", {}, deferral=deferral)
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

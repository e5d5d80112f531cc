"""Requests whose candidates the caller names, on the emulator."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.errors import ErrorReason, InvalidRequest, NotFound, PermissionDenied, ServiceError
from servicekit.tracing import begin_trace
from services.router.catalog.files import SHIPPED
from services.router.tests.adapters import LONG_S
from services.router.tests.running_router import Ask, Stub, complete, ends_of, prompt, router, stream

BOTH = pytest.mark.parametrize("ask", [complete, stream])


def tried(failure: ServiceError) -> list[str]:
    return [attempt["model"] for attempt in json.loads(failure.details["attempts"])]


@BOTH
async def test_models_are_asked_in_the_caller_s_order_over_providers(
    stub: Stub, emulator: RunningEmulator, ask: Ask
) -> None:
    """YandexGPT is down: GigaChat answers, though the catalogue would not have asked it."""
    await emulator.control.fail("status", operation="chat", model="yandexgpt-5-pro", times=-1, code=503)

    first, end = ends_of(await ask(stub, prompt("yandexgpt", candidates=["yandexgpt:latest", "gigachat-pro"])))

    assert (first.route.provider, first.route.model) == ("gigachat", "gigachat-pro")
    assert [attempt.model for attempt in end.attempts] == ["yandexgpt:latest", "yandexgpt:latest", "gigachat-pro"]


@BOTH
async def test_three_attempts_are_made_whatever_the_caller_lists(
    stub: Stub, emulator: RunningEmulator, ask: Ask
) -> None:
    """Over all candidates together."""
    await emulator.control.fail("status", operation="chat", times=-1, code=503)
    names = ["yandexgpt:latest", "gigachat-pro", "gigachat", "yandexgpt-lite:latest"]

    with pytest.raises(ServiceError) as caught:
        await ask(stub, prompt("yandexgpt", candidates=names))

    assert len(tried(caught.value)) == 3
    assert len(await emulator.control.ground_truth(operation="chat")) == 3


async def test_a_caller_may_be_answered_by_one_model_only(stub: Stub, emulator: RunningEmulator) -> None:
    """After sorting, the first one is asked alone."""
    await emulator.control.fail("status", operation="chat", times=-1, code=503)
    asked = prompt("yandexgpt", candidates=["yandexgpt:latest", "gigachat"], sort="latency", alone=True)

    with pytest.raises(ServiceError) as caught:
        await complete(stub, asked)

    assert set(tried(caught.value)) == {"yandexgpt:latest"}


@BOTH
async def test_the_model_that_was_fastest_lately_comes_first(stub: Stub, emulator: RunningEmulator, ask: Ask) -> None:
    """What answers of the same kind have shown counts; where nothing was seen yet the written order does."""
    names = ["yandexgpt:latest", "gigachat", "yandexgpt-lite:latest"]
    await emulator.control.fail("slow", operation="chat", model="GigaChat-2", times=-1, gap_ms=400, size=64)
    await ask(stub, prompt("gigachat", "[[text:раз]]"))

    for sort in ("latency", "throughput"):
        sorted_by = prompt("yandexgpt", "[[text:да]]", candidates=names, sort=sort)
        await ask(stub, prompt("yandexgpt-lite"))
        async with asyncio.timeout(LONG_S):
            # A machine that stands still for longer than such a gap makes one quick answer slow, and not the next.
            while ends_of(await ask(stub, sorted_by))[0].route.model != "yandexgpt-lite:latest":
                await ask(stub, prompt("yandexgpt-lite"))


async def test_a_prompt_that_is_too_long_goes_to_the_first_larger_window(stub: Stub, emulator: RunningEmulator) -> None:
    """The next candidate's window is as small: it is not asked."""
    await emulator.control.replay("yandex/error_400_context")
    names = ["yandexgpt-5.1", "yandexgpt-5-pro", "gigachat-pro"]

    first, end = ends_of(await complete(stub, prompt("yandexgpt-5.1", candidates=names)))

    assert first.route.model == "gigachat-pro"
    assert [attempt.model for attempt in end.attempts] == ["yandexgpt-5.1", "gigachat-pro"]


@BOTH
async def test_a_model_that_cannot_do_all_gives_way_to_one_that_can(
    stub: Stub, emulator: RunningEmulator, ask: Ask
) -> None:
    """Nothing went out to those before it, so they are none of the three attempts."""
    names = ["yandexgpt:latest", "yandexgpt-5.1", "yandexgpt-lite:latest", "gigachat-pro"]
    asked = prompt("yandexgpt", candidates=names, require_parameters=True, other_json={"profanity_check": b"true"})

    first, _ = ends_of(await ask(stub, asked))

    assert first.route.model == "gigachat-pro"
    assert len(await emulator.control.ground_truth(operation="chat")) == 1


async def test_where_no_model_can_do_all_the_parameter_is_named(stub: Stub, emulator: RunningEmulator) -> None:
    """As without a choice."""
    names = ["yandexgpt:latest", "gigachat-pro"]
    asked = prompt("yandexgpt", candidates=names, require_parameters=True, other_json={"seed": b"1"})

    with pytest.raises(InvalidRequest) as caught:
        await complete(stub, asked)

    assert (caught.value.reason, caught.value.param) == (ErrorReason.UNSUPPORTED_PARAMETER, "seed")
    assert await emulator.control.ground_truth(operation="chat") == []


async def test_candidates_are_checked_as_the_model_asked_for_is(stub: Stub) -> None:
    """The router has the last word on what exists, what it is and who may use it."""
    for asked, kind in (
        (prompt("yandexgpt", candidates=["nobody"]), NotFound),
        (prompt("yandexgpt", candidates=["text-search-doc"]), InvalidRequest),
        (prompt("yandexgpt", candidates=["gigachat"], allowed_models=["yandexgpt:latest"]), PermissionDenied),
        (prompt("yandexgpt", candidates=["gigachat"], sort="beauty"), InvalidRequest),
    ):
        with pytest.raises(kind):
            await complete(stub, asked)


async def test_stand_ins_that_a_caller_only_bounds_are_asked_by_their_priority_and_weight(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    """As without the bound: the written order counted, whatever the operator had said of priorities."""
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "catalog", ignore=shutil.ignore_patterns("*.py", "__pycache__")))
    file = folder / "gigachat.yaml"
    written = (
        "[{model: yandexgpt-lite, weight: 1}, {model: aliceai-llm, weight: 1}, {model: gigachat-pro, priority: 9}]"
    )
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("  - id: gigachat\n", f"  - id: gigachat\n    fallbacks: {written}\n"), encoding="utf-8"
    )
    await emulator.control.fail("rate_limit", operation="chat", model="GigaChat-2", times=-1, retry_after=1)
    answered = set()

    async with router(emulator, catalog_dir=folder, circuits={"longest_cooling_s": 0}) as stub:
        listed = await rpc_client.unary(stub.rpcs.ListModels, pb.ListModelsRequest(), deadline_s=LONG_S)
        asked = next(each for each in listed.models if each.id == "gigachat")
        names = [asked.id, *asked.fallbacks]
        for number in range(20):
            bounded = prompt("gigachat", "[[text:да]]", candidates=names, stands_for="gigachat")
            context = CallContext(f"request-{number}", begin_trace(None))
            _, end = ends_of(await complete(stub, bounded, context=context))
            answered.add(tuple(attempt.model for attempt in end.attempts))

    assert names == ["gigachat", "gigachat-pro", "yandexgpt-lite:latest", "aliceai-llm"]
    assert answered == {("gigachat", "gigachat-pro", last) for last in ("yandexgpt-lite:latest", "aliceai-llm")}


async def test_a_share_of_a_family_is_answered_by_its_candidate_and_compared(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    """Both sides are counted apart; a caller who names its models is no part of it."""
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "catalog", ignore=shutil.ignore_patterns("*.py", "__pycache__")))
    file = folder / "yandexgpt.yaml"
    latest = "    aliases: [yandexgpt, yandexgpt/latest]\n"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(latest, f"{latest}    canary: {{model: yandexgpt:rc, percent: 50, by: request}}\n"))

    async with router(emulator, catalog_dir=folder) as stub:
        for number in range(12):
            context = CallContext(f"request-{number}", begin_trace(None))
            answer = await complete(stub, prompt("yandexgpt", "[[text:да]]"), context=context)
            assert answer.route.model in ("yandexgpt:latest", "yandexgpt:rc")
        steered = await complete(stub, prompt("yandexgpt", candidates=["yandexgpt:latest"]))
        await emulator.control.fail("status", operation="chat", times=1, code=503)
        await complete(stub, prompt("yandexgpt", "[[text:да]]"))
        listed = await rpc_client.unary(stub.rpcs.ListModels, pb.ListModelsRequest(), deadline_s=LONG_S)
        status = await rpc_client.unary(stub.rpcs.GetProviderStatus, pb.GetProviderStatusRequest(), deadline_s=LONG_S)

    sides = {side.side: side for side in status.canaries}
    assert steered.route.model == "yandexgpt:latest"
    assert {side: each.resolved_model for side, each in sides.items()} == {
        "canary": "yandexgpt-5.1", "stable": "yandexgpt-5-pro"
    }  # fmt: skip
    assert sides["canary"].answers + sides["stable"].answers == 13
    assert sides["canary"].failures + sides["stable"].failures == 1
    assert all(side.tokens_output and side.cost_micro_rub and side.first_content_s for side in sides.values())
    # Who holds money for a request holds for the candidate too.
    latest_now = next(each for each in listed.models if each.id == "yandexgpt:latest")
    assert (latest_now.canary, latest_now.fallbacks[-1]) == ("yandexgpt:rc", "yandexgpt:rc")


async def test_a_fallback_that_was_switched_on_after_the_hold_was_made_is_not_asked(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    """A dearer one would make a bill above the hold: by another version of the catalogue only what that covers."""
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "catalog", ignore=shutil.ignore_patterns("*.py", "__pycache__")))
    async with router(emulator, catalog_dir=folder) as stub:
        listed = await rpc_client.unary(stub.rpcs.ListModels, pb.ListModelsRequest(), deadline_s=LONG_S)
        asked = next(each for each in listed.models if each.id == "yandexgpt:latest")
        assert asked.fallbacks
        await emulator.control.fail("status", operation="chat", model="yandexgpt-5-pro", times=-1, code=503)
        newer = await complete(stub, prompt("yandexgpt", catalog_version=listed.version, priced_models=[asked.id]))
        with pytest.raises(ServiceError):
            await complete(stub, prompt("yandexgpt", catalog_version="older", priced_models=[asked.id]))

    assert newer.route.stands_in
    assert newer.route.model in asked.fallbacks

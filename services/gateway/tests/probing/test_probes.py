"""Probes: each version is asked as a caller asks it, for money, and what was found is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from razvilka.auth.v1 import auth_pb2
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, InvalidRequest, ProviderFailed
from servicekit.testing.sampled import sampled
from services.gateway.edge.request_context import KEY as KEY_OF_CONTEXT
from services.gateway.edge.request_context import RequestContext
from services.gateway.probing.probe import Outcome, Version, probe
from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.work_settings import ProbeSettings

LATEST = {"provider": "yandexgpt", "model": "yandexgpt:latest"}
QUICK = {"every_s": 0.2}


def counted(outcome: str, **labels: str) -> float:
    return sampled("razvilka_gateway_probes_total", **{**LATEST, **labels}, outcome=outcome)


def contains(file: Path, content: bytes | None) -> None:
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_bytes(content)


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.01)


async def until_refused_twice() -> None:
    # The first may have been under way.
    before = counted("refused")
    await until(lambda: counted("refused") >= before + 2)


async def last_of(edge: Edge, model: str = "yandexgpt:latest") -> Any:
    status = (await edge.client.get("/status.json")).json()
    [found] = [each for provider in status["providers"] for each in provider["models"] if each["model"] == model]
    return found["probe"]


async def known_of(edge: Edge) -> Any:
    """Return the last probe that answered or failed. Who looked too soon is told so for half a minute."""
    async with asyncio.timeout(90):
        while not (probe := await last_of(edge)):
            await asyncio.sleep(0.01)
    return probe


async def test_every_version_that_chats_is_asked_for_money_and_nobody_stands_in(
    backends: Backends, start_gateway: StartGateway, key_file: Path
) -> None:
    """Those without a price, and those that only embed, are not."""
    before = counted("answered")
    edge = await start_gateway(probes=ProbeSettings(key_file=key_file, **QUICK))
    asked = {"yandexgpt:latest", "gigachat-pro", "yandexgpt:deprecated"}
    await until(lambda: {each.model for each in backends.router.prompts} == asked and counted("answered") > before)

    await until(lambda: backends.usage.rows)
    row = next(iter(backends.usage.rows.values()))
    assert (row.user_id, row.key_id) == ("user-1", "key-1")
    assert row.cost_micro_rub > 0
    assert all(each.alone for each in backends.router.prompts)
    assert sampled("razvilka_gateway_probe_answered", **LATEST) == 1
    assert sampled("razvilka_gateway_probe_seconds", **LATEST) > 0
    probe = await known_of(edge)
    assert probe["answered"]
    assert probe["first_token_ms"] >= 1
    page = await edge.client.get("/status", headers={"accept-language": "en"})
    assert "Our own question" in page.text


async def test_a_version_that_fails_is_told(backends: Backends, start_gateway: StartGateway, key_file: Path) -> None:
    """Before the first user has noticed; the gauge says which."""
    before = counted("failed")
    backends.router.failure = ProviderFailed(ErrorReason.PROVIDER_ERROR, "It fell over.")
    edge = await start_gateway(probes=ProbeSettings(key_file=key_file, models="yandexgpt", **QUICK))
    await until(lambda: counted("failed") > before)

    assert sampled("razvilka_gateway_probe_answered", **LATEST) == 0
    assert (await known_of(edge))["answered"] is False


async def test_a_version_that_breaks_off_in_the_middle_has_failed(
    backends: Backends, start_gateway: StartGateway, key_file: Path
) -> None:
    """Its status was 200: the error came later."""
    before = counted("failed")
    backends.router.failure = ProviderFailed(ErrorReason.PROVIDER_ERROR, "It fell over.")
    backends.router.fail_at = 2
    await start_gateway(probes=ProbeSettings(key_file=key_file, models="yandexgpt", **QUICK))

    await until(lambda: counted("failed") > before)


@pytest.mark.parametrize("fail_at", [0, 1], ids=["before the headers", "behind them"])
async def test_a_version_that_refuses_our_question_has_failed_soon_or_late(
    backends: Backends, start_gateway: StartGateway, key_file: Path, fail_at: int
) -> None:
    """The key, the budget and the question are good: users are refused, too, and the status says so."""
    failed, refused = counted("failed"), counted("refused")
    backends.router.failure = InvalidRequest(ErrorReason.INVALID_PARAMETERS, "This model exists no longer.")
    backends.router.fail_at = fail_at
    edge = await start_gateway(probes=ProbeSettings(key_file=key_file, models="yandexgpt", **QUICK))
    await until(lambda: counted("failed") > failed or counted("refused") > refused)

    assert counted("refused") == refused
    assert (await known_of(edge))["answered"] is False


async def test_a_probe_that_is_answered_while_it_is_cut_off_is_late() -> None:
    """What ends orderly although its time is over has hidden that nothing came in time."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope[KEY_OF_CONTEXT] = context = RequestContext(scope)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        context.status = 200

    probed = await probe(app, Version("yandexgpt", "yandexgpt:latest"), KEY, timeout_s=0.01)

    assert (probed.outcome, probed.code) == (Outcome.FAILED, "timeout")


async def test_a_version_that_says_nothing_in_time_has_failed(
    backends: Backends, start_gateway: StartGateway, key_file: Path
) -> None:
    """The probe leaves as a caller does, and what was made until then is billed."""
    before = counted("failed")
    backends.router.hold = asyncio.Event()
    backends.router.hold_at = 0
    given = ProbeSettings(key_file=key_file, models="yandexgpt", timeout_s=0.2, **QUICK)
    await start_gateway(probes=given)

    await until(lambda: counted("failed") > before)
    await until(lambda: backends.usage.rows)


async def test_who_is_cut_off_by_its_own_process_is_logged_and_counted_as_one_that_left(
    backends: Backends, start_gateway: StartGateway, key_file: Path
) -> None:
    """A probe that is late, a request when a gateway's time to stop is over: 499, and what the row says it cost."""
    labels = {"route": "/v1/chat/completions", "method": "POST"}
    before = sampled("razvilka_gateway_requests_total", **labels, status="499")
    backends.router.hold = asyncio.Event()
    backends.router.hold_at = 0
    with capture_logs() as said:
        await start_gateway(probes=ProbeSettings(key_file=key_file, models="yandexgpt", timeout_s=0.2, **QUICK))
        await until(lambda: any(each["event"] == "http.request" for each in said))
        line = next(each for each in said if each["event"] == "http.request")
        row = await backends.usage.row(line["request_id"])

    assert (line["status"], line["route"], line["cut"]) == (499, "/v1/chat/completions", "cancelled")
    assert (line["cost_micro_rub"], line["tokens_in"]) == (row.cost_micro_rub, row.tokens_input)
    assert row.cost_micro_rub > 0
    assert sampled("razvilka_gateway_requests_total", **labels, status="499") > before
    assert sampled("razvilka_gateway_requests_total", **labels, status="0") == 0


async def test_a_spent_budget_refuses_probes_too(
    backends: Backends, start_gateway: StartGateway, key_file: Path
) -> None:
    """That says nothing of the version, so nothing is told of it; nor is anybody asked."""
    budget = auth_pb2.Budget(subject="key:key-1", period=auth_pb2.BUDGET_PERIOD_TOTAL, limit_micro_rub=1)
    backends.auth.callers[KEY].budgets.append(budget)
    before = counted("refused")
    edge = await start_gateway(probes=ProbeSettings(key_file=key_file, models="yandexgpt", **QUICK))
    await until(lambda: counted("refused") > before)

    assert backends.router.prompts == []
    assert await last_of(edge) is None


async def test_without_a_key_probes_are_refused_until_there_is_one(start_gateway: StartGateway, key_file: Path) -> None:
    """No file, one that is no text, an empty one: the gateway serves all the same, and reads it again."""
    contains(key_file, None)
    await start_gateway(probes=ProbeSettings(key_file=key_file, models="yandexgpt", **QUICK))
    for content in (None, b"\xff\xfe\x00", b""):
        contains(key_file, content)
        await until_refused_twice()

    answered = counted("answered")
    contains(key_file, KEY.encode())

    await until(lambda: counted("answered") > answered)


async def test_a_name_that_stands_for_nothing_is_refused_by_name(start_gateway: StartGateway, key_file: Path) -> None:
    """A typo in the setting does not stay unseen."""
    await start_gateway(probes=ProbeSettings(key_file=key_file, models="yandexgtp, yandexgpt", **QUICK))

    await until(lambda: counted("refused", provider="unknown", model="yandexgtp"))
    await until(lambda: counted("answered"))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"every_s": 300}, "GATEWAY_PROBES_KEY_FILE"),
        ({"every_s": -1}, "every_s"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_by_name(given: dict[str, Any], named: str) -> None:
    """Before anything runs."""
    with pytest.raises(ValidationError, match=named):
        ProbeSettings(**given)

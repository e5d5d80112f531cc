"""/console/break: the emulated GigaChat is broken and healed by buttons, for visitors at the machine only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr, ValidationError

from emulator.testing import RunningEmulator, running_emulator
from servicekit.errors import ErrorReason, Unavailable
from servicekit.settings import RedisSettings
from services.gateway.console.breaking.faults import FAULTS, button_of, for_a_minute
from services.gateway.settings import GatewaySettings
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.pages.browser import Form, browser, form_of, log_in, submit

PATH = "/console/break"


@pytest.fixture
async def emulator() -> AsyncIterator[RunningEmulator]:
    """An emulator whose control API the gateway knows."""
    async with running_emulator() as running:
        yield running


@pytest.fixture
async def local(start_gateway: StartGateway, emulator: RunningEmulator) -> Edge:
    """A gateway of a local suite."""
    return await start_gateway(emulator_control_url=emulator.control_url, trusted_proxies="127.0.0.1/32")


@pytest.mark.parametrize("name", FAULTS)
async def test_each_button_breaks_gigachat_for_a_minute_and_one_heals_it(
    local: Edge, emulator: RunningEmulator, name: str
) -> None:
    """One fault at a time, of chats of GigaChat only; the page says which, and for how long."""
    async with browser(local) as client:
        await log_in(client)
        form = form_of(await client.get(PATH), PATH)
        await submit(client, form, fault="slow")
        pressed = await submit(client, form, fault=name)
        page = await client.get(PATH)
        [rule] = (await emulator.control.call("GET", "faults"))["rules"]
        await submit(client, form, fault="heal")
        healed = await client.get(PATH)

    assert (pressed.status_code, pressed.headers["location"]) == (303, PATH)
    # The router of this test says that a circuit of GigaChat has been open for long.
    assert "CircuitOpen" in page.text
    assert "docs/operations/runbooks/CircuitOpen.md" in healed.text
    assert (rule["provider"], rule["operation"], rule["times"]) == ("gigachat", "chat", -1)
    assert 50 < rule["left_s"] <= 60
    assert 'class="note warn"' in page.text
    assert 'class="note good"' in healed.text
    assert (await emulator.control.call("GET", "faults"))["rules"] == []


async def test_a_question_shows_who_answered_and_its_bill(local: Edge, backends: Backends) -> None:
    """Five times: five requests in the books, each asked once however often the form is sent."""
    async with browser(local) as client:
        await log_in(client)
        form = form_of(await client.get(PATH), f"{PATH}/ask")
        asked = await submit(client, form, many="1")
        await submit(client, form, many="1")
        page = await client.get(asked.headers["location"])
        async with asyncio.timeout(60), backends.usage.arrived:
            await backends.usage.arrived.wait_for(lambda: len(backends.usage.rows) >= 5)

    assert len(backends.router.prompts) == 5
    [row] = [row for row in backends.usage.rows.values() if row.request_id in page.text]
    assert f"{row.cost_micro_rub / 1e6:.6f}\u00a0₽".replace(".", ",") in page.text
    assert "yandexgpt:latest" in page.text


async def test_a_question_that_nobody_answers_shows_what_the_api_said(local: Edge, backends: Backends) -> None:
    """Code and hint, on the page of the buttons."""
    backends.router.failure = Unavailable(ErrorReason.NO_HEALTHY_PROVIDER, "Nobody.")
    async with browser(local) as client:
        await log_in(client)
        page = await submit(client, form_of(await client.get(PATH), f"{PATH}/ask"))

    assert "no_healthy_provider" in page.text
    assert f'action="{PATH}"' in page.text


async def test_a_page_without_an_emulator_says_so(start_gateway: StartGateway) -> None:
    """A button fails as any page whose service is away; looking still works."""
    edge = await start_gateway(emulator_control_url="http://127.0.0.1:9")
    async with browser(edge) as client:
        await log_in(client)
        shown = await client.get(PATH)
        pressed = await submit(client, form_of(shown, PATH), fault="slow")

    assert (shown.status_code, pressed.status_code) == (200, 503)


async def test_nobody_from_elsewhere_can_break_anything(local: Edge, emulator: RunningEmulator) -> None:
    """404 for other machines, logged in or not, whatever the form says; no way leads there from the overview."""
    async with browser(local) as client:
        await log_in(client)
        form = form_of(await client.get(PATH), PATH)
        here = await client.get("/console")
        client.headers["x-forwarded-for"] = "203.0.113.9"
        elsewhere = await client.get("/console")
        answers = [
            await client.get(PATH),
            await client.get(f"{PATH}?request=x"),
            await submit(client, form, fault="slow"),
        ]
        answers.append(await submit(client, Form(f"{PATH}/ask", form.fields)))
        del client.headers["x-forwarded-for"]
        answers.append(await client.get(PATH, headers={"host": "evil.example"}))
        client.cookies.clear()
        answers.append(await client.get(PATH, headers={"host": "evil.example"}))

    assert [answer.status_code for answer in answers] == [404] * 6
    assert (PATH in here.text, PATH in elsewhere.text) == (True, False)
    assert (await emulator.control.call("GET", "faults"))["rules"] == []


async def test_without_an_emulator_there_is_no_such_page(edge: Edge) -> None:
    """As in production, which refuses the setting by name."""
    async with browser(edge) as client:
        await log_in(client)
        answers = [await client.get(PATH), await client.post(PATH, data={"fault": "slow"})]

    faults = list(
        GatewaySettings.production_faults(edge.settings.model_copy(update={"emulator_control_url": "http://x"}))
    )
    assert [answer.status_code for answer in answers] == [404, 405]
    assert [fault for fault in faults if fault.startswith("GATEWAY_EMULATOR_CONTROL_URL")]


async def test_a_button_that_is_not_there_is_a_page_that_says_so(local: Edge, emulator: RunningEmulator) -> None:
    """Nothing is broken."""
    async with browser(local) as client:
        await log_in(client)
        answer = await submit(client, form_of(await client.get(PATH), PATH), fault="gzip_bomb")

    assert answer.status_code == 404
    assert (await emulator.control.call("GET", "faults"))["rules"] == []


def test_what_was_broken_elsewhere_is_no_button_s() -> None:
    """Every button is known by its fault, and nothing else is."""
    assert [button_of(for_a_minute(name)) for name in FAULTS] == list(FAULTS)
    assert button_of(None) == ""


@pytest.mark.parametrize("url", ["127.0.0.1:18080", "unix:/x"])
def test_an_address_that_is_none_stops_the_start(url: str) -> None:
    """The message names the setting and what it must be."""
    with pytest.raises(ValidationError, match=r"emulator_control_url\n.*must begin with http://"):
        GatewaySettings(redis=RedisSettings(url=SecretStr("redis://127.0.0.1/0")), emulator_control_url=url)

"""The twenty modes of failing: every listener commits each of them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from emulator.testing import RunningEmulator
from emulator.tests.conftest import Ask
from emulator.wire.fault_modes import FORMS, FaultMode
from emulator.wire.faults import parse_fault

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
ALL = [form for forms in FORMS.values() for form in forms]
Read = Callable[[], Awaitable[list[dict[str, Any]]]]


@pytest.fixture
def listeners(ask_yandex: Ask, ask_yandex_v1: Ask, ask_gigachat: Ask, ask_openai: Ask) -> dict[str, Ask]:
    """Return a caller of each."""
    return {"yandex": ask_yandex, "yandex_v1": ask_yandex_v1, "gigachat": ask_gigachat, "openai": ask_openai}


def test_there_are_twenty_modes_each_with_a_form() -> None:
    """Nobody adds a mode without saying how it is asked for."""
    assert len(FaultMode) == 20
    assert set(FORMS) == set(FaultMode)
    assert all(FORMS.values())


def test_the_readme_lists_every_mode_with_its_forms() -> None:
    """Mode by mode, as they are written."""
    rows = [f"| `{mode}` | {', '.join(f'`{form}`' for form in forms)} |" for mode, forms in FORMS.items()]

    assert [row for row in rows if row not in README] == []


async def test_the_control_api_lists_the_modes(emulator: RunningEmulator) -> None:
    """With the forms that go through a marker, a header or the script."""
    listed = await emulator.control.call("GET", "faults")

    assert listed["modes"] == {mode: list(forms) for mode, forms in FORMS.items()}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("listener", ["yandex", "yandex_v1", "gigachat", "openai"])
async def test_every_listener_commits_every_mode(
    emulator: RunningEmulator, listeners: dict[str, Ask], listener: str, stream: bool
) -> None:
    """Asked for by a marker, streamed or plain, the log says that the call had it."""
    ask = listeners[listener]
    await ask("привет")  # whatever token it needs is there now

    async def read() -> list[dict[str, Any]]:
        return await emulator.control.ground_truth(operation="chat")

    for form in ALL:
        await _commit(ask, form, read, stream=stream)

    committed = [(entry["fault"], entry["stream"]) for entry in await read()][1:]
    assert committed == [(parse_fault(form).name, stream) for form in ALL]


async def _commit(ask: Ask, form: str, read: Read, *, stream: bool) -> None:
    """Ask, and leave as soon as the call is in the log: some of these answers never end."""
    known = len(await read())
    asking = asyncio.create_task(_heard(ask, form, stream=stream))
    while len(await read()) == known:
        await asyncio.sleep(0)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking


async def _heard(ask: Ask, form: str, *, stream: bool) -> None:
    with suppress(aiohttp.ClientError, UnicodeDecodeError):
        await ask(f"привет [[chunks:5]] [[fault:{form}]]", stream=stream)


async def test_a_marker_may_mean_one_model(emulator: RunningEmulator, ask_openai: Ask) -> None:
    """A fallback of the same provider is spared, though its prompt is the same."""
    status, _ = await ask_openai("привет [[fault:status code=503 model=toy-small]]")
    struck, _ = await ask_openai("привет [[fault:status code=503 model=large]]")

    assert (status, struck) == (200, 503)

"""`python -m emulator` as a process, on uvloop, with TLS."""

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from emulator.control_client import EmulatorControl
from emulator.listeners import EmulatorSettings
from emulator.testing import YANDEX_API_KEY, YANDEX_FOLDER


@pytest_asyncio.fixture
async def addresses(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    """Start the process on free ports; return what it prints; stop it by SIGTERM."""
    ports = {f"EMULATOR_{name.upper()}": "0" for name in EmulatorSettings.model_fields if name.endswith("_port")}
    env = {**os.environ, **ports, "EMULATOR_TLS": "1", "EMULATOR_TLS_DIR": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "emulator", env=env, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    yield json.loads(await process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_the_process_serves_plain_and_faulty_answers(addresses: dict[str, Any]) -> None:
    """uvloop's transports take the same faults: reset, cut, stall with a client that leaves."""
    body = {
        "modelUri": f"gpt://{YANDEX_FOLDER}/yandexgpt",
        "completionOptions": {"stream": True},
        "messages": [{"role": "user", "text": "x"}],
    }
    url = f"{addresses['yandex_url']}/foundationModels/v1/completion"
    key = {"Authorization": f"Api-Key {YANDEX_API_KEY}"}

    async with aiohttp.ClientSession() as http, EmulatorControl(addresses["control_url"]) as control:
        async with http.post(url, json=body, headers=key) as response:
            assert (await response.text()).count("\n") > 2
        for fault in ("rst_before_headers", "rst_mid_body", "cut_mid_stream"):
            with pytest.raises(aiohttp.ClientError):
                async with http.post(url, json=body, headers={**key, "x-emulator-fault": fault}) as response:
                    await response.read()
        async with http.post(url, json=body, headers={**key, "x-emulator-fault": "stall"}) as response:
            await response.content.readline()
            response.close()
        while any(entry["ended"] == "open" for entry in await control.ground_truth()):
            await asyncio.sleep(0)

        endings = [entry["ended"] for entry in await control.ground_truth()]

    assert endings == ["complete", "fault", "fault", "fault", "client_gone"]


async def test_https_is_trusted_only_with_its_own_ca(addresses: dict[str, Any]) -> None:
    """The printed CA opens the door; the system's trust store does not."""
    trusted = ssl.create_default_context(cafile=addresses["ca_path"])

    async with aiohttp.ClientSession() as http:
        for name, path in (("yandex", "/v1/none"), ("gigachat_auth", "/none"), ("openai", "/none")):
            async with http.get(f"{addresses['tls'][name]}{path}", ssl=trusted) as response:
                assert response.status in (403, 404)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(addresses["tls"]["gigachat"], ssl=ssl.create_default_context())

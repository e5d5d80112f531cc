"""What a router is made of: providers with and without credentials, upstreams, the catalogue it shows."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from servicekit import rpc_client
from servicekit.errors import ErrorReason, NotFound, ServiceError
from services.router.catalog.files import SHIPPED
from services.router.tests.adapters import LONG_S, yandex_settings
from services.router.tests.running_router import Stub, complete, prompt, router, stream


async def test_models_without_credentials_say_so(emulator: RunningEmulator) -> None:
    """The others answer."""
    async with router(emulator, yandex=yandex_settings(emulator, api_key="", folder_id="")) as stub:
        with pytest.raises(ServiceError) as caught:
            await complete(stub, prompt("yandexgpt-lite"))
        await complete(stub, prompt("gigachat"))

    assert caught.value.reason is ErrorReason.PROVIDER_CREDENTIALS


async def test_lists_the_catalogue(emulator: RunningEmulator, tmp_path: Path) -> None:
    """With aliases, prices with dates, lifecycle; what is shut down is not offered."""
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "catalog", ignore=shutil.ignore_patterns("*.py", "__pycache__")))
    file = folder / "yandexgpt.yaml"
    # A router lives by the machine's clock, and ours of these names ends one day.
    file.write_text(file.read_text(encoding="utf-8").replace("shutdown_at: 2027-", "shutdown_at: 2999-"))

    async with router(emulator, catalog_dir=folder) as stub:
        answer = await rpc_client.unary(stub.rpcs.ListModels, pb.ListModelsRequest(), deadline_s=LONG_S)

    models = {model.id: model for model in answer.models}
    assert "yandexgpt" in models["yandexgpt:latest"].aliases
    assert models["gigachat-pro"].prices[-1].input_micro_rub_per_1k == 500_000
    assert models["yandexgpt:deprecated"].HasField("deprecated_at")
    assert "qwen3-235b-a22b-fp8" not in models
    assert answer.version


async def test_tells_what_it_has_seen(stub: Stub, emulator: RunningEmulator) -> None:
    """One line for each model; never asked is unknown."""
    await complete(stub, prompt("gigachat"))

    answer = await rpc_client.unary(stub.rpcs.GetProviderStatus, pb.GetProviderStatusRequest(), deadline_s=LONG_S)

    told = {model.model: model.status for model in answer.models}
    assert (told["gigachat"], told["gigachat-max"]) == ("operational", "unknown")


async def test_upstreams_are_asked_and_can_be_added_while_running(
    emulator: RunningEmulator, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file, a key in the environment; a model that is added answers without a restart."""
    monkeypatch.setenv("LOCAL_KEY", "sk-emulator")
    entry = {
        "name": "local",
        "base_url": emulator.openai_url,
        "api_key_env": "LOCAL_KEY",
        "models": [{"id": "toy-large", "window": 8192, "price": {"input": 0.1, "output": 0.2}}],
    }
    file = tmp_path / "upstreams.yaml"
    file.write_text(yaml.safe_dump({"upstreams": [entry]}))
    async with router(emulator, upstreams_file=file, reload_s=0.02) as stub:
        parts = await stream(stub, prompt("toy-large", "[[text:да]]", n=2, stop=["нет"]))
        assert {delta.choice_index for part in parts for delta in part.deltas} == {0, 1}

        second = {**entry, "name": "other", "models": [{**entry["models"][0], "id": "toy-small"}]}  # type: ignore[dict-item]
        file.write_text(yaml.safe_dump({"upstreams": [entry, second]}))
        async with asyncio.timeout(LONG_S):
            while True:
                try:
                    answer = await complete(stub, prompt("toy-small", "[[text:да]]"))
                    break
                except NotFound:
                    await asyncio.sleep(0.02)

    assert (answer.route.provider, answer.choices[0].content) == ("other", "да")


async def test_a_bad_catalogue_stops_the_start_with_its_line(emulator: RunningEmulator, tmp_path: Any) -> None:
    """Wrong at the start is better noticed at the start."""
    file = tmp_path / "upstreams.yaml"
    file.write_text("upstreams: [{name: x, base_url: 'http://x', models: [{id: m, window: 5}]}]")

    with pytest.raises(SystemExit, match="model 'm' has no price"):
        async with router(emulator, upstreams_file=file):
            pass

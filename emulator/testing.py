"""An emulator inside a test's own event loop, on free ports."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from emulator.app import Emulator
from emulator.control_client import EmulatorControl
from emulator.core import Core
from emulator.listeners import EmulatorSettings

YANDEX_API_KEY: Final = "AQVN-emulator-demo-key"
YANDEX_FOLDER: Final = "b1gemulatorfolder000"
GIGACHAT_CREDENTIALS: Final = "ZW11bGF0b3I6c2VjcmV0"
GIGACHAT_SCOPE: Final = "GIGACHAT_API_PERS"
OPENAI_API_KEY: Final = "sk-emulator"
_FREE_PORTS: Final = {
    name: 0
    for name in EmulatorSettings.model_fields
    if name.endswith("_port")
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunningEmulator:
    """Addresses of a running emulator and the hand on its controls.

    gigachat_url is the host: v1 is `{gigachat_url}/api/v1` or `{gigachat_url}/v1`. gigachat_auth_url is the whole
    OAuth address. openai_url ends in `/openai/v1`. tls maps yandex, gigachat, gigachat_auth, openai to https hosts;
    grpc maps yandex, and yandex_tls, to `host:port`.
    """

    yandex_url: str
    gigachat_url: str
    gigachat_auth_url: str
    openai_url: str
    control_url: str
    control: EmulatorControl
    tls: dict[str, str]
    grpc: dict[str, str]
    ca_path: str
    emulator: Emulator


@asynccontextmanager
async def running_emulator(*, now: Callable[[], float] = time.time, **settings: Any) -> AsyncIterator[RunningEmulator]:
    """Run an emulator on free ports; keyword arguments are fields of EmulatorSettings, `now` is its clock."""
    fields = EmulatorSettings(**{**_FREE_PORTS, **settings})
    emulator = Emulator(fields, Core(fields, now=now))
    addresses = await emulator.start()
    urls = addresses.urls
    try:
        async with EmulatorControl(urls["control"]) as control:
            yield RunningEmulator(
                urls["yandex"],
                urls["gigachat"],
                urls["gigachat_auth"] + "/api/v2/oauth",
                urls["openai"] + "/openai/v1",
                urls["control"],
                control,
                addresses.tls,
                addresses.grpc,
                addresses.ca_path,
                emulator,
            )
    finally:
        await emulator.stop()

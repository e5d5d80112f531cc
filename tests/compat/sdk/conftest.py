"""One emulator as a process, with the providers' real quotas of calls."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.listeners import EmulatorSettings

SWITCH = "RAZVILKA_TEST_SDKS"
FIRM = "ZmlybTpzZWNyZXQ="


@pytest.fixture(scope="session", autouse=True)
def _only_when_asked() -> None:
    """Environments are made from a package index, which the quick suite must not need."""
    if not os.environ.get(SWITCH):
        pytest.skip("run by make test-sdks")


@pytest.fixture(scope="session")
def addresses() -> Iterator[str]:
    """Return as JSON where the emulator answers; it knows a person's and a firm's key for GigaChat."""
    ports = {f"EMULATOR_{name.upper()}": "0" for name in EmulatorSettings.model_fields if name.endswith("_port")}
    keys = {"ZW11bGF0b3I6c2VjcmV0": "GIGACHAT_API_PERS", FIRM: "GIGACHAT_API_CORP"}
    more = {
        "EMULATOR_GIGACHAT_CREDENTIALS": json.dumps(keys),
        "EMULATOR_YANDEX_OPERATION_S": "1",
        "EMULATOR_GIGACHAT_RUN_S": "0.2",
        # Every scenario logs in anew, which no application does: ten a second are soon over.
        "EMULATOR_GIGACHAT_TOKEN_CALLS_PER_S": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator"], env=os.environ | ports | more, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    try:
        where = {
            "yandex": found["yandex_url"],
            "yandex_grpc": found["grpc"]["yandex"],
            "gigachat": found["gigachat_url"],
            "gigachat_auth": found["gigachat_auth_url"] + "/api/v2/oauth",
        }
        yield json.dumps(where)
    finally:
        process.terminate()
        process.wait()

"""An administrator drains, switches and prices a model of the running suite; everybody who should know does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from tests.integration.caller import ask
from tests.integration.processes import Processes
from tests.integration.waiting import wait_until
from tools.servers.ports import LOOPBACK
from tools.stack.running_stack import RunningStack

# Known to a router and a gateway of this test only: a drain counts on all routers, and others use the suite's models.
PROVIDER: Final = "of-this-test"
MODEL: Final = "model-of-this-test"
REASON: Final = "a test of drains"


@pytest.fixture
def url(stack: RunningStack, processes: Processes, tmp_path: Path) -> Iterator[str]:
    """Give a gateway whose router knows one more provider."""
    model = {"id": MODEL, "uri": "toy-large", "window": 8192, "price": {"input": 0.1, "output": 0.2}}
    base_url = f"http://{LOOPBACK}:{stack.parts.ports['EMULATOR_OPENAI_PORT']}/openai/v1"
    entry = {"name": PROVIDER, "base_url": base_url, "api_key_env": "KEY_OF_THIS_TEST", "models": [model]}
    file = tmp_path / "upstreams.yaml"
    file.write_text(yaml.safe_dump({"upstreams": [entry]}))
    settings = {"ROUTER_UPSTREAMS_FILE": str(file), "KEY_OF_THIS_TEST": "sk-emulator"}
    router = processes.start("router", settings)
    gateway = processes.gateway(GATEWAY_ROUTER_TARGET=router.target)
    yield gateway.url
    gateway.stop()


def order(stack: RunningStack, url: str, what: str, **body: str) -> dict[str, Any]:
    """Order something of the provider as the demo's administrator."""
    headers = {"authorization": f"Bearer {stack.admin_key}"}
    path = f"{url}/v1/admin/providers/{PROVIDER}/{what}"
    answer = httpx.post(path, headers=headers, json={"model": MODEL, **body}, trust_env=False, timeout=60)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def test_a_drained_model_is_asked_no_more_until_it_is_taken_back(stack: RunningStack, url: str) -> None:
    """The caller is told at once, the status and the audit log say why, and the explanation names who was skipped."""
    key = stack.issue_key()

    drained = order(stack, url, "drain", reason=REASON)
    refused = ask(url, key, "Привет", model=MODEL)

    assert drained == {"provider": PROVIDER, "credential": None, "model": MODEL, "drained": True}
    assert (refused.status, refused.error["code"]) == (503, "no_healthy_provider")
    assert int(refused.headers["retry-after"]) >= 1
    assert [(line["reason"], line["status"]) for line in lines_of(url, key)] == [("drained", "down")]
    (noted,) = stack.query("SELECT details FROM auth.audit_log WHERE subject = $1", f"provider:{PROVIDER}")
    assert json.loads(noted["details"])["order_reason"] == REASON
    attempts = wait_until(lambda: attempts_of(url, key, refused.request_id))
    assert [each["reason"] for each in attempts] == ["SKIPPED_DRAINED"]

    assert order(stack, url, "undrain")["drained"] is False
    assert ask(url, key, "Привет", model=MODEL).status == 200


def test_a_model_is_switched_off_and_priced_without_touching_a_file(stack: RunningStack, url: str) -> None:
    """Callers are told at once; a price that would rewrite the past is refused; the audit log has the orders."""
    key = stack.issue_key()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    price = {"model": MODEL, "valid_from": tomorrow.isoformat(), "input": 0.3, "output": 0.4}

    switched = change(stack, url, "PUT", f"overrides/{MODEL}", {"enabled": False})
    refused = ask(url, key, "Привет", model=MODEL)
    late = change(stack, url, "POST", "prices", {**price, "valid_from": "2026-01-01T00:00:00Z"})
    priced = change(stack, url, "POST", "prices", price)
    again = change(stack, url, "POST", "prices", price)
    listed = get(url, stack.admin_key, f"/v1/admin/catalog/prices?model={MODEL}").json()["data"]

    assert (switched.status_code, switched.json()["patch"]) == (200, {"enabled": False})
    assert (refused.status, refused.error["code"]) == (404, "model_not_found")
    assert [(each.status_code, each.json()["error"]["param"]) for each in (late, again)] == [(400, "valid_from")] * 2
    assert [(each["input"], each["by"] is None) for each in listed] == [("0.1", True), ("0.3", False)]
    assert listed[1] == priced.json()
    noted = stack.query("SELECT action FROM auth.audit_log WHERE subject = $1 ORDER BY seq", f"model:{MODEL}")
    assert [row["action"] for row in noted] == ["catalog.override_set", *["catalog.price_added"] * 3]

    assert change(stack, url, "DELETE", f"overrides/{MODEL}").status_code == 200
    wait_until(lambda: ask(url, key, "Привет", model=MODEL).status == 200)


def change(stack: RunningStack, url: str, method: str, path: str, body: Any = None) -> httpx.Response:
    """Change the catalogue as the demo's administrator."""
    headers = {"authorization": f"Bearer {stack.admin_key}"}
    whole = f"{url}/v1/admin/catalog/{path}"
    return httpx.request(method, whole, headers=headers, json=body, trust_env=False, timeout=60)


def lines_of(url: str, key: str) -> list[dict[str, Any]]:
    """Return the line of the model in the providers' status."""
    found = get(url, key, "/v1/providers/status").json()["data"]
    return [line for provider in found for line in provider["models"] if line["model"] == MODEL]


def attempts_of(url: str, key: str, request_id: str) -> list[dict[str, Any]]:
    """Return the attempts of a request; none until its row is shipped."""
    answer = get(url, key, f"/v1/requests/{request_id}")
    return answer.json()["attempts"] if answer.is_success else []


def get(url: str, key: str, path: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(f"{url}{path}", headers=headers, trust_env=False, timeout=60)

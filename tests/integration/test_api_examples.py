"""The description's own examples, against the running gateway: it understands each request, and samples run."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any, Final

import httpx
import pytest

from services.gateway.reference.operations import Operation, operations_of
from tools.stack.running_stack import RunningStack

# What a request that is understood may still be answered: there is no such thing, it is there already, the example's
# secret is none, somebody else would have to be logged in.
UNDERSTOOD: Final = frozenset({200, 201, 202, 204, 303, 401, 403, 404, 409})
ALL_SCOPES: Final = (
    *("models:read", "completions:write", "embeddings:write", "usage:read", "notifications:write"),
    *("keys:read", "keys:write", "profile:read", "profile:write", "clients:write"),
)
# What notifications say with 400: the id of a channel is only an example's.
OF_NO_ID: Final = re.compile(r"One of the channels does not exist")
# It wants the operator's own token, and would make an application.
NOT_SENT: Final = ("register_client",)


@pytest.fixture(scope="module")
def operations(stack: RunningStack) -> list[tuple[str, str, Operation]]:
    """Every operation as the running gateway describes it."""
    return list(operations_of(httpx.get(f"{stack.url}/openapi.json", trust_env=False, timeout=60).json()))


@pytest.fixture(scope="module")
def gateway(stack: RunningStack) -> Iterator[httpx.Client]:
    """A client with a key that may everything."""
    key = stack.issue_key(scopes=ALL_SCOPES)
    with httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client


def path_of(path: str, operation: Operation) -> str:
    """Return the path with the examples of its parameters."""
    values = {each["name"]: each["example"] for each in operation.get("parameters", []) if each["in"] == "path"}
    return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), path)


def test_every_request_of_an_example_is_understood(
    gateway: httpx.Client, operations: list[tuple[str, str, Operation]]
) -> None:
    """None is a bad request."""
    refused: dict[str, Any] = {}
    for method, path, operation in operations:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None or operation["operationId"] in NOT_SENT or path.startswith("/v1/admin/"):
            continue
        answer = gateway.request(method, path_of(path, operation), json=content["example"])
        if answer.status_code not in UNDERSTOOD and not OF_NO_ID.search(answer.text):
            refused[operation["operationId"]] = (answer.status_code, answer.text[:300])

    assert refused == {}


def readable(operations: list[tuple[str, str, Operation]]) -> Iterator[Operation]:
    """Return what can be read without knowing an id."""
    for method, path, operation in operations:
        needs = any(each.get("required") for each in operation.get("parameters", []))
        for_people = path in ("/authorize", "/userinfo", "/unsubscribe") or "admin" in str(operation.get("security"))
        if method == "GET" and not needs and not for_people:
            yield operation


def test_samples_for_a_shell_run_as_they_are(
    gateway: httpx.Client, operations: list[tuple[str, str, Operation]]
) -> None:
    """In one shell, after the two variables are set."""
    samples = [operation["x-codeSamples"][0]["source"] for operation in readable(operations)]
    chat = next(each for _, _, each in operations if each["operationId"] == "create_chat_completion")
    script = "\n".join(
        f"{sample} --fail -o /dev/null || echo {shlex.quote(sample)}"
        for sample in [*samples, chat["x-codeSamples"][0]["source"]]
    )
    variables = {"RAZVILKA_URL": str(gateway.base_url).rstrip("/"), "RAZVILKA_API_KEY": key_of(gateway)}

    run = subprocess.run(
        ["bash", "-c", script], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )

    assert len(samples) > 20
    assert run.stdout == ""


def test_samples_for_python_run_as_they_are(
    gateway: httpx.Client, operations: list[tuple[str, str, Operation]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With httpx and nothing else."""
    monkeypatch.setenv("RAZVILKA_URL", str(gateway.base_url).rstrip("/"))
    monkeypatch.setenv("RAZVILKA_API_KEY", key_of(gateway))
    written = {"create_chat_completion", "create_embeddings", "count_tokens", "create_budget"}
    chosen = [*readable(operations), *(each for _, _, each in operations if each["operationId"] in written)]

    for operation in chosen:
        said = io.StringIO()
        with redirect_stdout(said):
            exec(operation["x-codeSamples"][1]["source"], {})
        assert said.getvalue().strip(), operation["operationId"]


def key_of(gateway: httpx.Client) -> str:
    return gateway.headers["Authorization"].removeprefix("Bearer ")

"""What nobody has, asked for at each operation of the running suite: one answer, and it names what was asked for."""

from __future__ import annotations

import re
from typing import Any, Final

import httpx
import pytest

from services.gateway.reference.operations import Operation, operations_of
from tools.stack.running_stack import RunningStack

IDS: Final = ("7b5d0d0c-6c4e-4d55-9a0e-3f6b1c1d2e3f", "text")
SCOPES: Final = (
    *("models:read", "completions:write", "usage:read", "notifications:write", "keys:read", "keys:write"),
    *("profile:read", "profile:write", "clients:write"),
)
# What these may be asked of is not there either, or there is nothing that has to be: the path says what is to be.
ELSEWHERE: Final = frozenset({"download_report", "remove_member"})
# Everywhere in this API, as in OpenAI's, a model is called so.
MODEL: Final = "model"


@pytest.fixture(scope="module")
def operations(stack: RunningStack) -> list[tuple[str, str, Operation]]:
    """Every operation about one thing, as the running gateway describes it."""
    whole = httpx.get(f"{stack.url}/openapi.json", trust_env=False, timeout=60).json()
    return [each for each in operations_of(whole) if "{" in each[1] and each[2]["operationId"] not in ELSEWHERE]


def words_of(path: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", path))


def ask(client: httpx.Client, method: str, path: str, operation: Operation, id: str) -> Any:
    """Ask for the thing of an id, with the body that the description shows."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    return client.request(method, re.sub(r"\{\w+\}", id, path), **({} if body is None else {"json": body}))


@pytest.mark.parametrize("id", IDS)
def test_what_nobody_has_is_not_found_by_the_word_of_its_path(
    stack: RunningStack, operations: list[tuple[str, str, Operation]], id: str
) -> None:
    """404 whatever the id looks like, and `param` is a name that the caller knows."""
    keys = {False: stack.issue_key(scopes=SCOPES), True: stack.admin_key}
    strange: dict[str, Any] = {}
    with httpx.Client(base_url=stack.url, timeout=60, trust_env=False) as client:
        for method, path, operation in operations:
            client.headers["authorization"] = f"Bearer {keys[path.startswith('/v1/admin/')]}"
            answer = ask(client, method, path, operation, id)
            error = answer.json().get("error", {})
            if answer.status_code != 404 or error["param"] not in {*words_of(path), MODEL}:
                strange[operation["operationId"]] = (answer.status_code, error)

    assert len(operations) > 40
    assert strange == {}

"""The contract of release 1.0, exchange by exchange: `make compat-1.0` runs it, also against another address."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import pytest

from tests.compat.release_1_0.comparison import DONE, at, missing, missing_in_stream
from tests.compat.release_1_0.conftest import Target
from tests.compat.release_1_0.recorded import Recorded, recorded

EXCHANGES: Final = recorded()
NOT_YET_S: Final = 60.0
LONGEST_WAIT_S: Final = 90.0


@pytest.fixture(scope="module")
def client(target: Target) -> Iterator[httpx.Client]:
    """Return a client as 1.0's users have: it knows an address and a key."""
    with httpx.Client(base_url=target.url, timeout=60) as made:
        yield made


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_client_of_1_0_reads_what_it_always_did(target: Target, client: httpx.Client, name: str) -> None:
    """Status, headers, members with their types, and the values that are contract; a stream in its order."""
    record = EXCHANGES[name]
    if record.needs and not target.is_emulated:
        pytest.skip("only an emulated provider fails when it is told to")

    answer = _exchange(target, client, record)

    headers = {header.lower(): value for header, value in answer.headers.items()}
    found = list(missing(record, answer.status_code, headers, None if record.events else _body(answer)))
    if record.events:
        found += missing_in_stream(record, _events(answer))
    assert found == []


def _exchange(target: Target, client: httpx.Client, record: Recorded) -> httpx.Response:
    path = record.path.format(**{each: _taken(target, client, *of) for each, of in record.takes.items()})
    give_up_at = time.monotonic() + NOT_YET_S
    while True:
        answer = _send(target, client, record, path)
        is_early = bool(record.takes) and answer.status_code == httpx.codes.NOT_FOUND
        if not is_early or time.monotonic() > give_up_at:
            return answer
        time.sleep(0.05)


def _taken(target: Target, client: httpx.Client, exchange: str, pointer: str) -> str:
    return str(at(_exchange(target, client, EXCHANGES[exchange]).json(), pointer))


def _send(target: Target, client: httpx.Client, record: Recorded, path: str) -> httpx.Response:
    sent = _credential(target, record)
    given: dict[str, Any] = {"json": record.body} if record.raw_body is None else {"content": record.raw_body}
    answer = client.request(record.method, path, headers=sent, **(given if record.method == "POST" else {}))
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS != record.status:
        # A free key has twenty a minute, and the contract has more exchanges.
        time.sleep(min(float(answer.headers.get("Retry-After", "1")), LONGEST_WAIT_S))
        answer = client.request(record.method, path, headers=sent, **(given if record.method == "POST" else {}))
    return answer


def _credential(target: Target, record: Recorded) -> Mapping[str, str]:
    keys = {"own": target.key, "wrong": "gc-nobody-has-this-key", "none": ""}
    sent = {"content-type": "application/json"}
    return sent | ({"authorization": f"Bearer {keys[record.key]}"} if keys[record.key] else {})


def _body(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text


def _events(answer: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data:").strip() for line in answer.text.splitlines() if line.startswith("data:")]
    return [line if line == DONE else json.loads(line) for line in lines]

"""A revoked key ends at every gateway: at once when the push arrives, within five seconds when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx
import pytest

from tests.integration.processes import Processes, pause, resume
from tests.integration.waiting import measured, wait_until
from tools.stack.running_stack import RunningStack

PUSHED_WITHIN_S: Final = 1.0
LOST_WITHIN_S: Final = 5.0
# A machine may be late by this much with anything at all; where it stands still for longer, it is measured again.
SLACK_S: Final = 1.0


@pytest.fixture(scope="module")
def gateways(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Addresses of two gateways."""
    processes = Processes(stack, tmp_path_factory.mktemp("gateway"))
    try:
        # No more patient with Redis than the suite's own: one test has it hang.
        yield [stack.url, processes.gateway(GATEWAY_REDIS_TIMEOUT_MS="100").url]
    finally:
        processes.stop_all()


def status(url: str, key: str) -> int:
    """Return how a gateway answers a key."""
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(f"{url}/v1/models", headers=headers, trust_env=False, timeout=30).status_code


def seconds_until_refused(urls: list[str], key: str) -> float:
    """Return how long the slowest gateway goes on; asked in turns."""
    began = time.monotonic()
    wait_until(lambda: {status(url, key) for url in urls} == {401})
    return time.monotonic() - began


def known_key(stack: RunningStack, urls: list[str]) -> str:
    """Return a key that every gateway has just verified."""
    key = stack.issue_key()
    assert {status(url, key) for url in urls} == {200}
    return key


def ended_after_s(stack: RunningStack, urls: list[str], within_s: float, before: Callable[[], None]) -> float:
    """Return how long a revoked key went on; `before` happens just before it is revoked."""

    def once() -> float:
        key = known_key(stack, urls)
        before()
        stack.revoke_key(key)
        return seconds_until_refused(urls, key)

    return measured(once, lambda seconds: seconds < within_s + SLACK_S)


def test_a_revoked_key_ends_everywhere_at_once(stack: RunningStack, gateways: list[str]) -> None:
    """The revocation is pushed: no gateway believes its cache for longer than a second."""
    assert ended_after_s(stack, gateways, PUSHED_WITHIN_S, lambda: None) < PUSHED_WITHIN_S + SLACK_S


def test_only_the_revoked_key_ends(stack: RunningStack, gateways: list[str]) -> None:
    """Others of the same gateway work on."""
    revoked, other = known_key(stack, gateways), known_key(stack, gateways)

    stack.revoke_key(revoked)
    seconds_until_refused(gateways, revoked)

    assert {status(url, other) for url in gateways} == {200}


def test_a_gateway_that_missed_the_push_catches_up(stack: RunningStack, gateways: list[str]) -> None:
    """Its subscription is cut just before: it comes back and reads what was revoked meanwhile."""

    def cut() -> None:
        for server in stack.redis_of_each():
            server.client_kill_filter(_type="pubsub")

    assert ended_after_s(stack, gateways, LOST_WITHIN_S, cut) < LOST_WITHIN_S + SLACK_S


def test_without_redis_the_cache_ends_by_itself(stack: RunningStack, gateways: list[str]) -> None:
    """Nobody can be told anything: five seconds are the most that a verified key is believed."""
    pids = stack.redis_pids()

    def once() -> float:
        key = known_key(stack, gateways)
        pause(*pids)
        try:
            stack.revoke_key(key)
            return seconds_until_refused(gateways, key)
        finally:
            resume(*pids)

    assert measured(once, lambda seconds: seconds < LOST_WITHIN_S + SLACK_S) < LOST_WITHIN_S + SLACK_S


def test_an_administrator_switches_a_key_off_and_on_everywhere(stack: RunningStack, gateways: list[str]) -> None:
    """At one gateway; both refuse it at once, and take it again when it is on."""

    def once() -> float:
        key = known_key(stack, gateways)
        key_id = stack.query("SELECT id FROM auth.api_keys ORDER BY created_at DESC LIMIT 1")[0]["id"]
        switched_off = switch(stack, key_id, "disable")
        off_after_s = seconds_until_refused(gateways, key)
        switched_on = switch(stack, key_id, "enable")
        wait_until(lambda: {status(url, key) for url in gateways} == {200})
        assert (switched_off, switched_on) == ({"id": key_id, "disabled": True}, {"id": key_id, "disabled": False})
        return off_after_s

    assert measured(once, lambda seconds: seconds < PUSHED_WITHIN_S + SLACK_S) < PUSHED_WITHIN_S + SLACK_S


def switch(stack: RunningStack, key_id: str, how: str) -> dict[str, object]:
    """Switch a key as the demo's administrator."""
    headers = {"authorization": f"Bearer {stack.admin_key}"}
    url = f"{stack.url}/v1/admin/keys/{key_id}/{how}"
    answer: dict[str, object] = httpx.post(url, headers=headers, trust_env=False, timeout=30).raise_for_status().json()
    return answer

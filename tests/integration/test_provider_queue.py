"""The line for a provider's slots in the whole suite, with the rights that the router has at Redis."""

from __future__ import annotations

import httpx

from tests.integration.caller import ask
from tests.integration.waiting import wait_until
from tools.stack.running_stack import RunningStack


def test_the_router_shares_its_slots_by_redis(stack: RunningStack) -> None:
    """Its user there may run the script, read the clock, and hear who waits; the answer says how long that was."""
    heard = ask(stack.url, stack.issue_key(), "Где север? [[tokens:3]]")
    assert heard.status == 200
    assert heard.headers["x-razvilka-queue-ms"].isdigit()

    shown = httpx.get(stack.metrics_url("router"), trust_env=False).text
    assert 'razvilka_router_slot_exchanges_total{line="yandexgpt",outcome="ok"}' in shown
    assert 'razvilka_router_slots_alone{line="yandexgpt"} 1.0' not in shown
    # Whoever listens to a cluster listens at one of its servers.
    servers = stack.redis_of_each()
    wait_until(lambda: sum(dict(each.pubsub_numsub("router:slots"))[b"router:slots"] for each in servers) >= 1)

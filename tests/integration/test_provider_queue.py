"""The line for a provider's slots in the whole suite, with the rights that the router has at Redis."""

from __future__ import annotations

import httpx

from tests.integration.caller import ask
from tests.integration.waiting import wait_until
from tools.stack.running_stack import RunningStack


def test_the_router_shares_its_slots_by_redis(stack: RunningStack) -> None:
    """Its user there may run the script, read the clock, and hear who waits; the answer says how long that was."""
    key = stack.issue_key()

    def asked_and_scraped() -> str:
        # Again: a router whose Redis was late for once goes on alone, until it is asked for the next slot.
        heard = ask(stack.url, key, "Где север? [[tokens:3]]")
        assert heard.status == 200
        assert heard.headers["x-razvilka-queue-ms"].isdigit()
        return httpx.get(stack.metrics_url("router"), trust_env=False, timeout=60).text

    alone = 'razvilka_router_slots_alone{line="yandexgpt"} 1.0'
    shown = wait_until(asked_and_scraped, lambda shown: alone not in shown)
    assert 'razvilka_router_slot_exchanges_total{line="yandexgpt",outcome="ok"}' in shown
    # Whoever listens to a cluster listens at one of its servers.
    servers = stack.redis_of_each()
    wait_until(lambda: sum(dict(each.pubsub_numsub("router:slots"))[b"router:slots"] for each in servers) >= 1)

"""A token is used for some time, whatever our clock says of its end."""

from __future__ import annotations

from servicekit.testing import FakeClock
from services.router.providers.transport.access_token import USED_AT_LEAST_S, AccessToken, SingleFlight


async def test_a_clock_that_is_ahead_does_not_have_a_token_fetched_for_each_call(clock: FakeClock) -> None:
    """By it every token had ended before it came; one is used for a while all the same, or until it is refused."""
    fetched = 0

    async def fetch(_: AccessToken | None) -> AccessToken:
        nonlocal fetched
        fetched += 1
        return AccessToken(f"token {fetched}", clock.now().timestamp() - 60)

    tokens = SingleFlight(fetch, clock, provider="gigachat")

    at_once = [await tokens.get(), await tokens.get()]
    refused = await tokens.renew(at_once[0])
    clock.advance(USED_AT_LEAST_S)
    later = await tokens.get()

    assert (at_once, refused, later) == (["token 1", "token 1"], "token 2", "token 3")

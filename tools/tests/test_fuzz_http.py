"""A small storm in every run of the tests; the large one is `make fuzz-http`."""

from __future__ import annotations

from tools.fuzz.http.__main__ import STALL_MS, storm
from tools.fuzz.http.nonsense import KINDS, Maker


async def test_no_nonsense_makes_the_gateway_fail_or_stall() -> None:
    """No 5xx but the intended, and nobody is held up: stalls are CPU time of the gateway's own thread."""
    findings = await storm(400, seed=20_261_128)

    assert findings.failed == []
    assert sum(findings.statuses.values()) == 400
    assert max(findings.stalls_ms) <= STALL_MS


def test_the_same_seed_makes_the_same_storm() -> None:
    """What was found can be found again; all kinds come."""
    first, second = ([maker.next() for _ in range(200)] for maker in (Maker(3, "k"), Maker(3, "k")))

    assert first == second
    assert {nonsense.kind for nonsense in first} == set(KINDS)

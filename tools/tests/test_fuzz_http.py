"""A small storm in every run of the tests; the large one is `make fuzz-http`."""

from __future__ import annotations

import json
import time
from typing import Final

from tools.fuzz.http.__main__ import STALL_MS, storm
from tools.fuzz.http.nonsense import KINDS, Maker

# What `_piece_of_work` takes on the machine that STALL_MS was chosen on.
WORK_MS: Final = 20.0


def _piece_of_work() -> float:
    """Do what a gateway does most, read and write JSON and run Python, and return its CPU time in milliseconds."""
    chat = {"messages": [{"role": "user", "content": "word " * 20}] * 20}
    start = time.thread_time()
    for _ in range(200):
        json.loads(json.dumps(chat))
        sum(number * number for number in range(500))
    return (time.thread_time() - start) * 1000


def _times_slower() -> float:
    """Return how many times slower than that machine this one is now; a faster one is let the same time."""
    return max(1.0, *(_piece_of_work() / WORK_MS for _ in range(5)))


async def test_no_nonsense_makes_the_gateway_fail_or_stall() -> None:
    """No 5xx but the intended, and nobody is held up: stalls are CPU time of the gateway's own thread."""
    before = _times_slower()
    findings = await storm(400, seed=20_261_128)

    assert findings.failed == []
    assert sum(findings.statuses.values()) == 400
    assert max(findings.stalls_ms) <= STALL_MS * max(before, _times_slower())


def test_the_same_seed_makes_the_same_storm() -> None:
    """What was found can be found again; all kinds come."""
    first, second = ([maker.next() for _ in range(200)] for maker in (Maker(3, "k"), Maker(3, "k")))

    assert first == second
    assert {nonsense.kind for nonsense in first} == set(KINDS)

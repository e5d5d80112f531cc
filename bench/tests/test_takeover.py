"""What the takeover's table says of requests before, across and after a kill."""

from __future__ import annotations

from bench.takeover import Outcome, told

KILLED_AT = 100.0
OUTCOMES = [
    Outcome(98.0, 98.1, 99.0, True),
    Outcome(99.5, 99.6, 100.1, False),
    Outcome(99.6, 99.7, 100.4, True),
    Outcome(100.02, 0.0, 100.03, False),
    Outcome(100.05, 100.08, 100.7, True),
]


def test_requests_are_told_apart_by_when_they_were_sent_and_how_they_ended() -> None:
    """What was sent after the kill and failed says how long the other took to take over."""
    flying, after, began = told(OUTCOMES, KILLED_AT)

    assert flying == "- in flight at the kill: 2, failed of them 1; failed before it 0"
    assert "sent after it: 2, failed of them 1, the last one sent 20 ms after it" in after
    assert began.endswith("began 80 ms after the kill")

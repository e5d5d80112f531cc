"""Statuses that began become incidents that people can read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.gateway.availability.incidents import incidents_of
from services.gateway.clients.router.administration import PastStatus

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def status(minute: float, name: str, reason: str = "", *, model: str = "pro", provider: str = "gigachat") -> PastStatus:
    """Return a status that began so many minutes after noon."""
    return PastStatus(provider, model, name, reason, 0.5, NOON + timedelta(minutes=minute))


def test_a_circuit_that_opens_and_closes_is_one_incident() -> None:
    """From the first sign to the end, with the worst of it, and each reason once."""
    past = [
        status(9, "operational"),
        status(0, "degraded", "failures"),
        status(1, "down", "circuit_open"),
        status(3, "degraded", "circuit_probing"),
        status(5, "down", "circuit_open"),
    ]

    [incident] = incidents_of(past)

    assert (incident.status, incident.models) == ("down", ("pro",))
    assert incident.reasons == ("failures", "circuit_open", "circuit_probing")
    assert (incident.began_at, incident.ended_at) == (NOON, NOON + timedelta(minutes=9))
    assert incident.id == "gigachat-20261128T120000"


def test_models_of_a_provider_that_fail_together_are_one_incident() -> None:
    """Also when one begins soon after the other has ended; it lasts until the last has recovered."""
    past = [
        *(status(0, "down", "circuit_open"), status(2, "operational")),
        *(status(1, "down", "circuit_open", model="max"), status(4, "operational", model="max")),
        status(8, "down", "circuit_open", model="lite"),
        *(status(1, "down", "circuit_open", provider="yandexgpt"), status(3, "operational", provider="yandexgpt")),
        *(status(60, "down", "drained"), status(61, "unknown")),
    ]

    found = [(each.provider, each.models, each.ended_at) for each in incidents_of(past)]

    assert found == [
        ("yandexgpt", ("pro",), NOON + timedelta(minutes=3)),
        ("gigachat", ("lite", "max", "pro"), None),
    ]


def test_what_nobody_felt_is_no_incident() -> None:
    """Some calls failed for half a minute, and other tries answered; nothing at all is nothing."""
    past = [status(0, "degraded", "failures"), status(0.5, "operational"), status(60, "operational")]

    assert incidents_of(past) == []
    assert incidents_of([]) == []
    assert incidents_of([status(0, "degraded", "failures")])[0].ended_at is None


def test_those_that_are_long_over_are_told_apart() -> None:
    """Ten minutes of health between two spells part them; the newer comes first."""
    past = [
        *(status(0, "down", "circuit_open"), status(2, "operational")),
        *(status(12, "down", "circuit_open"), status(14, "operational")),
    ]

    assert [each.began_at.minute for each in incidents_of(past)] == [12, 0]

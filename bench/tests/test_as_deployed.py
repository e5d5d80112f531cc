"""The suite that is measured looks for what is due as often as an installation."""

from __future__ import annotations

from bench.peers.ours import AS_DEPLOYED
from services.gateway.settings import GatewaySettings
from services.usage.settings import UsageSettings


def test_what_is_due_is_looked_for_as_often_as_by_default() -> None:
    """`make up` looks oftener: that would be counted with each answer."""
    usage, gateway = UsageSettings.model_fields, GatewaySettings.model_fields

    assert {name: float(every_s) for name, every_s in AS_DEPLOYED.items()} == {
        "USAGE_NOTIFICATIONS_EVERY_S": usage["notifications"].default.every_s,
        "GATEWAY_TELL_PEOPLE_EVERY_S": gateway["tell_people_every_s"].default,
    }

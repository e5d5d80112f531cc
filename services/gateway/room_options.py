"""What rooms that know no settings are told of them."""

from __future__ import annotations

from services.gateway.admission.options import AdmissionOptions
from services.gateway.metering.options import MeteringOptions
from services.gateway.settings import GatewaySettings


def admission_options(settings: GatewaySettings) -> AdmissionOptions:
    """Return how limits are kept."""
    given = settings.admission
    return AdmissionOptions(
        lease_s=given.lease_s,
        renew_every_s=given.lease_s / 3,
        replicas=given.replicas,
        reconcile_every_s=given.reconcile_every_s,
        budget_share=given.budget_share_without_redis,
        explained_s=given.explained_s,
    )


def metering_options(settings: GatewaySettings) -> MeteringOptions:
    """Return how what a lost gateway left is billed."""
    given = settings.metering
    return MeteringOptions(
        reap_every_s=given.reap_every_s, reap_grace_s=given.reap_grace_s, drain_at_stop_s=given.drain_at_stop_s
    )

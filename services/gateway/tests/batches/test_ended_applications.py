"""What applications keep in the router ends with them: auth says which, the router is told."""

from __future__ import annotations

import asyncio

from razvilka.auth.v1 import owners_pb2

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import StartGateway


async def ended(backends: Backends) -> list[str]:
    async with asyncio.timeout(60):
        return await backends.router.batches.ended.get()


def stand(backends: Backends, **standings: owners_pb2.Standing.ValueType) -> None:
    for id, standing in standings.items():
        subject = f"consent:{id}"
        backends.owners.makers[subject] = owners_pb2.Maker(subject=subject, standing=standing)


async def test_what_ended_applications_keep_is_ended_again_and_again(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """A disabled one may be enabled; of whom auth says nothing, nothing ends; and a failed round is made up for."""
    stand(
        backends,
        live=owners_pb2.STANDING_LIVE,
        off=owners_pb2.STANDING_DISABLED,
        over=owners_pb2.STANDING_ENDED,
        unsaid=owners_pb2.STANDING_UNSPECIFIED,
    )
    backends.router.batches.applications = ["live", "off", "over", "unknown", "unsaid"]
    backends.router.batches.failures = [Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Later.")]
    await start_gateway(tell_people_every_s=0.05)

    assert [await ended(backends) for _ in range(2)] == [["over"], ["over"]]


async def test_all_applications_are_looked_at(backends: Backends, start_gateway: StartGateway) -> None:
    """Page by page, however many there are."""
    names = [f"grant-{n:04}" for n in range(1100)]
    stand(backends, **dict.fromkeys(names, owners_pb2.STANDING_ENDED))
    backends.router.batches.applications = names
    await start_gateway(tell_people_every_s=0.05)

    told = [await ended(backends) for _ in range(3)]

    assert [name for page in told for name in page] == names
    assert [len(page) for page in told] == [500, 500, 100]

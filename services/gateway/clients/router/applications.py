"""What applications have in the router, by their grants: listed and ended in nobody's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import grpc
from razvilka.router.v1 import batches_pb2 as pb
from razvilka.router.v1 import batches_pb2_grpc

from servicekit import rpc_client
from servicekit.call import current_call

DEADLINE_S: Final = 60.0


class ApplicationClient:
    """Finds applications that have files or batches, and ends those that others say are over."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = batches_pb2_grpc.BatchServiceStub(channel)

    async def page(self, after: str, limit: int) -> list[str]:
        """Return the grants of applications that have something, in order, behind that one.

        Raises:
            ServiceError: the router cannot be asked.
        """
        request = pb.ListApplicationsRequest(after=after, limit=limit)
        answer = await rpc_client.unary(
            self._stub.ListApplications, request, deadline_s=DEADLINE_S, call=current_call()
        )
        return list(answer.applications)

    async def end(self, applications: Sequence[str]) -> None:
        """Delete what these have; what runs is finished first, and deleted when this is said again.

        Raises:
            ServiceError: the router cannot be asked.
        """
        request = pb.EndApplicationsRequest(applications=applications)
        await rpc_client.unary(self._stub.EndApplications, request, deadline_s=DEADLINE_S, call=current_call())

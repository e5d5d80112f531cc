"""What a service keeps of a person, a page of rows at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

import grpc
from razvilka.auth.v1 import personal_data_pb2 as auth_pb
from razvilka.auth.v1 import personal_data_pb2_grpc as auth_grpc
from razvilka.router.v1 import personal_data_pb2 as router_pb
from razvilka.router.v1 import personal_data_pb2_grpc as router_grpc
from razvilka.usage.v1 import personal_data_pb2 as usage_pb
from razvilka.usage.v1 import personal_data_pb2_grpc as usage_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.clients.user_contexts import InWhoseName

DEADLINE_S: Final = 10.0
# A batch may have some 10 kB of names and errors: so many are far below what a message may weigh.
PAGE: Final = 200
AUTH: Final = ("api_keys", "login_attempts", "audit_log", "credential_audit_log")
ROUTER: Final = ("files", "batches")
USAGE: Final = (
    *("notification_channels", "alert_rules", "report_schedules", "reports"),
    *("anomalies", "recommendations"),
)


class PersonalDataClient:
    """Reads the parts that one service keeps.

    Args:
        method: the service's RPC.
        request: makes its message.
        parts: by the names that they have in the export.
        in_whose_name: shows for whom; None: the service issued the credential, which is shown to it.
    """

    def __init__(
        self, method: Any, request: Any, parts: tuple[str, ...], in_whose_name: InWhoseName | None = None
    ) -> None:
        self._method = method
        self._request = request
        self.parts = parts
        self._in_whose_name = in_whose_name

    async def pages(self, user_id: str, part: str, call: CallContext) -> AsyncGenerator[list[str], None]:
        """Yield all rows of a part as JSON texts, a page at a time.

        Raises:
            Unavailable: the service cannot be asked, or is of a release that has no such part.
        """
        page = ""
        while True:
            request = self._request(user_id=user_id, part=part, page=page, limit=PAGE)
            answer = await self._ask(request, call)
            yield list(answer.rows_json)
            page = answer.next_page
            if not page:
                return

    async def _ask(self, request: Any, call: CallContext) -> Any:
        if self._in_whose_name is None:
            return await rpc_client.unary(self._method, request, deadline_s=DEADLINE_S, call=call, in_their_name=True)
        user_context = await self._in_whose_name(call)
        return await rpc_client.unary(
            self._method, request, deadline_s=DEADLINE_S, call=call, user_context=user_context
        )


def of_auth(channel: grpc.aio.Channel) -> PersonalDataClient:
    """Return what reads the parts of auth."""
    stub: Any = auth_grpc.PersonalDataServiceStub(channel)
    return PersonalDataClient(stub.ListPersonalData, auth_pb.ListPersonalDataRequest, AUTH)


def of_router(channel: grpc.aio.Channel, in_whose_name: InWhoseName) -> PersonalDataClient:
    """Return what reads the parts of the router."""
    stub: Any = router_grpc.PersonalDataServiceStub(channel)
    return PersonalDataClient(stub.ListPersonalData, router_pb.ListPersonalDataRequest, ROUTER, in_whose_name)


def of_usage(channel: grpc.aio.Channel, in_whose_name: InWhoseName) -> PersonalDataClient:
    """Return what reads the parts of usage."""
    stub: Any = usage_grpc.PersonalDataServiceStub(channel)
    return PersonalDataClient(stub.ListPersonalData, usage_pb.ListPersonalDataRequest, USAGE, in_whose_name)

"""gRPC servicer of personal data exports."""

from __future__ import annotations

from typing import Final

from razvilka.auth.v1 import personal_data_pb2 as pb
from razvilka.auth.v1 import personal_data_pb2_grpc as pb_grpc

from servicekit.errors import invalid_parameter
from services.auth.personal_data.store import CredentialEvents
from services.auth.shared.rpc_values import Context

PART: Final = "credential_audit_log"


class PersonalDataServicer(pb_grpc.PersonalDataServiceServicer):
    """Lists the stored data of the user in whose name the call is made."""

    def __init__(self, events: CredentialEvents) -> None:
        self._events = events

    async def ListPersonalData(
        self, request: pb.ListPersonalDataRequest, context: Context
    ) -> pb.ListPersonalDataResponse:
        """Return a page of a part."""
        if request.part != PART:
            raise invalid_parameter("part", "There is no such part.")
        rows, following = await self._events.page(request.user_id, request.page, request.limit)
        return pb.ListPersonalDataResponse(rows_json=rows, next_page=following)

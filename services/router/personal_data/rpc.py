"""gRPC servicer of personal data exports."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc
from razvilka.router.v1 import personal_data_pb2 as pb
from razvilka.router.v1 import personal_data_pb2_grpc as pb_grpc

from services.router.personal_data.store import PersonalData

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class PersonalDataServicer(pb_grpc.PersonalDataServiceServicer):
    """Lists the stored data of the user in whose name the call is made."""

    def __init__(self, kept: PersonalData) -> None:
        self._kept = kept

    async def ListPersonalData(
        self, request: pb.ListPersonalDataRequest, context: Context
    ) -> pb.ListPersonalDataResponse:
        """Return a page of a part."""
        rows, following = await self._kept.page(request.user_id, request.part, request.page, request.limit)
        return pb.ListPersonalDataResponse(rows_json=rows, next_page=following)
